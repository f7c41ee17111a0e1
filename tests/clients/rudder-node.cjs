// RudderStack's SDK for Node, used as its documentation has it.
// node rudder-node.cjs URL WRITE_KEY EVENTS: prints the failures that it was told of, as JSON.
const RudderAnalytics = require('@rudderstack/rudder-sdk-node')
const calls = require('./calls.cjs')

const [dataPlaneUrl, writeKey, events] = process.argv.slice(2)
const failures = []
const analytics = new RudderAnalytics(writeKey, {
  dataPlaneUrl,
  flushInterval: 50,
  logLevel: 'error',
  errorHandler: (error) => failures.push(error.message),
})
calls(analytics, Number(events))
process.on('exit', () => console.log(JSON.stringify(failures)))
analytics.flush()
