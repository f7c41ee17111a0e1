// Segment's SDK for Node, used as its documentation has it.
// node segment-node.cjs URL WRITE_KEY EVENTS: prints the failures that it was told of, as JSON.
const { Analytics } = require('@segment/analytics-node')
const calls = require('./calls.cjs')

const [host, writeKey, events] = process.argv.slice(2)
const failures = []
const analytics = new Analytics({ writeKey, host, flushInterval: 50 })
analytics.on('error', (error) => failures.push(String(error.reason ?? error.code)))
calls(analytics, Number(events))
// It closes only after its retries.
analytics.closeAndFlush({ timeout: 60_000 }).then(() => console.log(JSON.stringify(failures)))
