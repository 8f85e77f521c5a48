import type { Request, Route } from '@playwright/test'
import { isScan, openScanner, result, showCode, wedge } from '../lib/apps.ts'
import { City } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

/** Requests of one page to verify, with the key that each carried. */
function keysOf(page: { on: (event: 'request', listener: (request: Request) => void) => unknown }): string[] {
  const keys: string[] = []
  page.on('request', (request) => {
    if (isScan(request)) keys.push(request.headers()['idempotency-key'] ?? '')
  })
  return keys
}

test('a server that dies: cannot confirm, and the answer by itself once it is back, recorded once', async ({ phone, ownCity, guard }) => {
  guard.expectNetworkFailures()
  const first = await ownCity({ people: 20 })
  const resident = await showCode(phone, 'resident-green', { city: first })
  const verifier = await openScanner(phone, { city: first, preferences: { returnAfterMs: 0 } })
  const keys = keysOf(verifier.page)
  const counts = async (city: City) => {
    const { access_token } = await city.signIn('verifier')
    return (await city.call<{ total: number }>('GET', '/v1/verifications/counts', undefined, access_token)).total
  }
  const before = await counts(first)
  const picture = await resident.page.screenshot()

  await first.kill({ keepData: true })
  await verifier.camera.see(picture)
  await expect(verifier.page.getByTestId('cannot-confirm')).toBeVisible()
  await expect(result(verifier.page)).toHaveCount(0)
  await expect(verifier.page.getByTestId('cannot-confirm')).toContainText('暂不能确认')

  const second = await ownCity({ people: 20, data: first.data, listen: first.address })
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
  await expect(verifier.page.getByTestId('result-late')).toBeVisible()
  expect(keys.length).toBeGreaterThan(1)
  expect(new Set(keys).size).toBe(1)
  expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(await counts(second)).toBe(before + 1)
})

test('no answer for three seconds: cannot confirm; the late answer says that it is late', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await verifier.page.route('**/v1/verifications', async (route) => {
    await held
    await route.continue().catch(() => undefined) // the page may have asked anew meanwhile
  })
  const keys = keysOf(verifier.page)
  await wedge(verifier.page, (await city.mint('resident-green')).code.text)
  await expect(verifier.page.getByTestId('checking')).toBeVisible()
  await expect(verifier.page.getByTestId('cannot-confirm')).toHaveAttribute('data-cause', 'slow')
  release()
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
  await expect(verifier.page.getByTestId('result-late')).toBeVisible()
  expect(new Set(keys).size).toBe(1)
})

test('a minute without an answer: never a stale green, even when the answer comes', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const verifier = await openScanner(phone, { clock: 'now', preferences: { returnAfterMs: 0 } })
  const { text } = (await city.mint('resident-green')).code
  const waiting: Route[] = []
  await verifier.page.route('**/v1/verifications', (route) => {
    waiting.push(route)
  })
  await wedge(verifier.page, text)
  await expect.poll(() => waiting.length).toBeGreaterThan(0)
  await verifier.page.clock.fastForward(61_000)
  await expect(verifier.page.getByTestId('cannot-confirm')).toHaveAttribute('data-cause', 'tooOld')
  await verifier.page.unroute('**/v1/verifications')
  for (const route of waiting) await route.continue().catch(() => undefined)
  await verifier.page.clock.fastForward(30_000)
  await expect(verifier.page.getByTestId('cannot-confirm')).toHaveAttribute('data-cause', 'tooOld')
  await expect(result(verifier.page)).toHaveCount(0)
  await verifier.page.getByTestId('scan-next').click()
  await expect(verifier.page.getByTestId('scanner-video')).toBeVisible()
})

test('no network: said on the whole screen, and gone by itself', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  const { text } = (await city.mint('resident-green')).code
  await verifier.context.setOffline(true)
  await wedge(verifier.page, text)
  const screen = verifier.page.getByTestId('cannot-confirm')
  await expect(screen).toHaveAttribute('data-cause', 'offline')
  expect(await screen.boundingBox()).toEqual({ x: 0, y: 0, width: 414, height: 896 })
  await verifier.context.setOffline(false)
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
})

test('the person who gives up waiting scans the next one, and the old answer never shows', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  const green = (await city.mint('resident-green')).code.text
  await verifier.context.setOffline(true)
  await wedge(verifier.page, green)
  await expect(verifier.page.getByTestId('cannot-confirm')).toBeVisible()
  await verifier.page.getByTestId('scan-next').click()
  await verifier.context.setOffline(false)
  await wedge(verifier.page, (await city.mint('resident-red')).code.text)
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'refuse')
  await verifier.page.getByTestId('scan-next').click()
  await expect(result(verifier.page)).toHaveCount(0)
})
