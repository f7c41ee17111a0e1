// One of each call, and many more track calls: the interface is the same in both.
module.exports = (analytics, events) => {
  analytics.identify({ userId: 'user-1', traits: { email: 'anna@example.com', title: 'CEO', name: 'Anna' } })
  analytics.track({ userId: 'user-1', event: 'Task Created', properties: { plan: 'pro', n: 3 } })
  analytics.page({
    userId: 'user-1',
    category: 'Docs',
    name: 'Pricing',
    properties: { path: '/pricing', url: 'https://x.example/pricing?a=1' },
  })
  analytics.screen({ userId: 'user-1', name: 'Settings', properties: { dark: true } })
  analytics.group({ userId: 'user-1', groupId: 'acme', traits: { name: 'Acme', employees: 30 } })
  analytics.alias({ previousId: 'anon-1', userId: 'user-1' })
  for (let number = 0; number < events; number++) {
    analytics.track({ userId: `user-${number}`, anonymousId: `anon-${number}`, event: 'Task Created' })
  }
}
