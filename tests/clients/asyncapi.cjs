// node asyncapi.cjs FILE: prints what the parser finds in an AsyncAPI document, as JSON.
const { readFileSync } = require('node:fs')
const { Parser } = require('@asyncapi/parser')

const [path] = process.argv.slice(2)
new Parser().parse(readFileSync(path, 'utf8')).then(({ document, diagnostics }) => {
  const found = diagnostics.map(({ code, message, path, severity }) => ({
    code: String(code),
    message,
    path: path.join('/'),
    severity,
  }))
  const channels = document ? document.channels().all().map((channel) => channel.address()) : []
  console.log(JSON.stringify({ diagnostics: found, channels }))
})
