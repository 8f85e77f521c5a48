import { openScanner, result, wedge } from '../lib/apps.ts'
import { expect, test } from '../lib/test.ts'

test('nothing moves when data arrives late', async ({ phone, city }) => {
  const pages = [
    ['', 'persona-verifier', undefined], ['/app/', 'code-qr', 'resident-green'], ['/app/#/looks', 'looks', 'resident-green'],
    ['/app/#/me', 'me', 'elder'], ['/app/#/why', 'why', 'elder'], ['/verify/#/settings', 'settings', 'verifier'],
  ] as const
  for (const [path, testId, as] of pages) {
    await test.step(path, async () => {
      const { page } = await phone(as === undefined ? {} : { as })
      await page.addInitScript(() => {
        const moved: string[] = []
        Object.assign(window, { moved })
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            const { value, hadRecentInput, sources } = entry as PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node?: Node }[] }
            const what = sources.map(({ node }) => (node instanceof Element ? `${node.tagName} ${node.className}` : node?.nodeName)).join(', ')
            // The demo's banner is known with the city itself and moves the page as a whole; a real city has none.
            if (sources.some(({ node }) => node instanceof Element && node.classList.contains('shell'))) continue
            if (!hadRecentInput && value > 0.005) moved.push(`${value.toFixed(3)}: ${what}`)
          }
        }).observe({ type: 'layout-shift', buffered: true })
      })
      // What every page knows before anything else may come first; its own data comes later.
      await page.route(/\/v1\/(?!city|scenes|demo\/sessions)/, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 700))
        await route.continue().catch(() => undefined)
      })
      const counted = as === 'verifier' ? page.waitForResponse((response) => response.url().includes('/counts')) : null
      await page.goto(city.url + path)
      await expect(page.getByTestId(testId).first()).toBeVisible()
      if (counted) {
        await (await counted).finished()
        await page.locator('a[href="#/records"]').click()
        await expect(page.getByTestId('records-list')).toBeVisible()
      }
      expect(await page.evaluate(() => (window as unknown as { moved: string[] }).moved)).toEqual([])
    })
  }
})

test('hundreds of scans leave no memory behind', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 }, scale: 1 })
  const tools = await verifier.context.newCDPSession(verifier.page)
  const codes = await Promise.all(['resident-green', 'resident-red'].map((persona) => city.mint(persona)))
  const scans = async (count: number) => {
    for (let done = 0; done < count; done++) {
      await wedge(verifier.page, done % 3 === 2 ? 'HTTPS://EXAMPLE.COM' : codes[done % 2]!.code.text)
      await expect(result(verifier.page)).toBeVisible()
      await verifier.page.getByTestId('scan-next').dispatchEvent('click')
      await expect(result(verifier.page)).toHaveCount(0)
    }
  }
  const held = async () => {
    await tools.send('HeapProfiler.collectGarbage')
    const { usedSize } = await tools.send('Runtime.getHeapUsage')
    const { nodes, jsEventListeners } = await tools.send('Memory.getDOMCounters')
    return { bytes: usedSize, nodes, listeners: jsEventListeners }
  }
  await scans(15)
  const before = await held()
  await scans(60)
  const after = await held()
  // Sixty leaked results would be some 3,000 nodes.
  expect(after.nodes - before.nodes).toBeLessThan(300)
  expect(after.listeners - before.listeners).toBeLessThan(30)
  expect(after.bytes - before.bytes).toBeLessThan(1_000_000)
})
