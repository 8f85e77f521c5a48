import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cityTime, hide, isMint, showCode } from '../lib/apps.ts'
import type { CodeAnswer } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

test('zbarimg reads the text of the code from a screenshot', async ({ phone }) => {
  const folder = mkdtempSync(join(tmpdir(), 'citycode-screen-'))
  try {
    for (const [width, height] of [[414, 896], [360, 740], [1280, 800]] as const) {
      const { page, minted } = await showCode(phone, 'resident-green', { width, height })
      const file = join(folder, `${width}.png`)
      writeFileSync(file, await page.screenshot())
      const read = await promisify(execFile)('zbarimg', ['--raw', '-q', file])
      expect(read.stdout.trim()).toBe(minted.code.text)
      const box = await page.getByTestId('code-qr').boundingBox()
      expect(box?.width).toBeGreaterThanOrEqual(260)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the code is drawn again before it ends, without a gap, and counted down to', async ({ phone }) => {
  const { page, minted } = await showCode(phone, 'resident-green', { clock: 'now' })
  await expect(page.getByTestId('code-countdown')).toContainText(/\d+ 秒后刷新/)
  // Every frame between now and the next code must show one.
  await page.evaluate(() => {
    const gaps = { count: 0 }
    Object.assign(window, { gaps })
    new MutationObserver(() => {
      if (!document.querySelector('[data-testid=code-qr]')) gaps.count++
    }).observe(document.body, { childList: true, subtree: true })
  })
  const next = page.waitForResponse((response) => isMint(response.request()))
  await page.clock.fastForward(31_000)
  const second = (await (await next).json()) as CodeAnswer
  expect(second.code.text).not.toBe(minted.code.text)
  expect(Date.parse(second.code.issued_at)).toBeLessThan(Date.parse(minted.code.expires_at))
  await expect(page.getByTestId('code-qr')).toBeVisible()
  expect(await page.evaluate(() => (window as unknown as { gaps: { count: number } }).gaps.count)).toBe(0)
})

test('a tap asks for a new code, from the button and from the code itself', async ({ phone }) => {
  const { page, minted } = await showCode(phone, 'resident-green')
  const texts = [minted.code.text]
  for (const testId of ['code-refresh', 'code-qr']) {
    await expect(page.getByTestId('code-refresh')).toHaveAttribute('aria-disabled', 'false')
    const next = page.waitForResponse((response) => isMint(response.request()))
    await page.getByTestId(testId).click()
    texts.push(((await (await next).json()) as CodeAnswer).code.text)
  }
  expect(new Set(texts).size).toBe(3)
})

test('the clock shows the city’s time though the phone is an hour off', async ({ phone }) => {
  for (const off of [-3_600_000, 3_600_000]) {
    const { page } = await showCode(phone, 'resident-green', { clock: new Date(Date.now() + off) })
    // Before the first answer the page has only the phone's time.
    await expect.poll(async () => {
      const shown = await page.getByTestId('code-clock').textContent()
      const now = Date.now()
      const [h = 0, m = 0, s = 0] = (shown ?? '').split(':').map(Number)
      const [hour = 0, minute = 0, second = 0] = cityTime(now).slice(11).split(':').map(Number)
      const gap = Math.abs(h * 3600 + m * 60 + s - (hour * 3600 + minute * 60 + second))
      return Math.min(gap, 86_400 - gap)
    }).toBeLessThan(20)
  }
})

test('without a network the page says since when, and shows no code that is over', async ({ phone, guard }) => {
  guard.expectNetworkFailures()
  const { page, context } = await showCode(phone, 'resident-green', { clock: 'now' })
  await context.setOffline(true)
  await page.clock.fastForward(31_000)
  await expect(page.getByTestId('offline')).toContainText(/自 \d\d:\d\d:\d\d 起/)
  // Still good for half a minute: shown, with the time that it has left.
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await expect(page.getByTestId('code-countdown')).toContainText(/此码 \d+ 秒后失效/)
  await page.clock.fastForward(31_000)
  await expect(page.getByTestId('code-qr')).toHaveCount(0)
  await expect(page.getByTestId('code-trouble')).toContainText(/自 \d\d:\d\d:\d\d 起/)
  await expect(page.getByTestId('status-card')).toHaveAttribute('data-color', 'none')
  // Long enough that the page trusts the next answer's time more than its own.
  await page.clock.fastForward(360_000)
  await context.setOffline(false)
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await expect(page.getByTestId('offline')).toHaveCount(0)
  await expect(page.getByTestId('status-card')).toHaveAttribute('data-color', 'green')
})

test('a server that is away is said too, and a code is shown again when it is back', async ({ phone, ownCity, guard }) => {
  guard.expectNetworkFailures()
  const city = await ownCity({ people: 20 })
  const { page } = await showCode(phone, 'resident-green', { city, clock: 'now' })
  await city.stop({ keepData: true })
  await page.clock.fastForward(65_000)
  await expect(page.getByTestId('code-trouble')).toContainText(/自 \d\d:\d\d:\d\d 起/)
  await expect(page.getByTestId('code-qr')).toHaveCount(0)
  await ownCity({ people: 20, data: city.data, listen: city.address })
  await page.clock.fastForward(360_000)
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await expect(page.getByTestId('code-trouble')).toHaveCount(0)
})

test('a hidden page covers the code at once, and draws a new one when it is back', async ({ phone }) => {
  const { page, minted } = await showCode(phone, 'resident-green')
  await hide(page, true)
  await expect(page.getByTestId('code-cover')).toBeVisible()
  await expect(page.getByTestId('code-qr')).toHaveCount(0)
  await expect(page.getByTestId('status-card')).toHaveAttribute('data-color', 'none')
  await hide(page, false)
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await expect(page.getByTestId('status-card')).toHaveAttribute('data-color', 'green')
  expect(minted.code.text).toHaveLength(61)
})

test('a page that loses the focus covers the code', async ({ phone }) => {
  const { page } = await showCode(phone, 'resident-green')
  await page.evaluate(() => window.dispatchEvent(new Event('blur')))
  await expect(page.getByTestId('code-cover')).toBeVisible()
  await page.getByTestId('code-cover').click()
  await expect(page.getByTestId('code-qr')).toBeVisible()
})

test('the guard pattern moves, and steps each second for people who asked for less motion', async ({ phone }) => {
  const { page } = await showCode(phone, 'resident-green')
  const band = page.locator('.running-clock')
  const moving = () => band.evaluate((element) => getComputedStyle(element, '::before').animationName)
  expect(await moving()).not.toBe('none')
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await moving()).toBe('none')
  const at = () => band.evaluate((element) => getComputedStyle(element, '::before').transform)
  const first = await at()
  await expect.poll(at).not.toBe(first)
})

test('who looked at me, why this colour, and my details, each with the numbers masked', async ({ phone, city }) => {
  const person = await city.persona('resident-red')
  const { page } = await showCode(phone, 'resident-red')
  await page.locator('a[href="#/why"]').click()
  await expect(page.getByTestId('why')).toContainText('红码')
  await page.goto(`${city.url}/app/#/me`)
  await expect(page.getByTestId('me')).toContainText(person.name)
  const html = await page.content()
  expect(html).not.toContain(person.document_number)
})
