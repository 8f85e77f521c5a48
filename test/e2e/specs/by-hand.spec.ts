import { enter, isScan, openScanner, result, wedge, type Verification } from '../lib/apps.ts'
import { masked } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

test('a hand scanner works wherever the focus is', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  const places = [
    ['nowhere', () => verifier.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())],
    ['on the choice of scene', () => verifier.page.getByTestId('scene-select').focus()],
    ['on a button', () => verifier.page.getByTestId('manual-open').focus()],
  ] as const
  for (const [name, focus] of places) {
    await test.step(name, async () => {
      await focus()
      const sent = verifier.page.waitForRequest(isScan)
      await wedge(verifier.page, (await city.mint('resident-green')).code.text, name === 'nowhere' ? 'Tab' : 'Enter')
      expect((await sent).postDataJSON()).toMatchObject({ method: 'device', scene: 'venue-entry' })
      await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
      await verifier.page.getByTestId('scan-next').click()
      await expect(result(verifier.page)).toHaveCount(0)
    })
  }
  await test.step('on the last result: the next person takes its place', async () => {
    await wedge(verifier.page, (await city.mint('resident-red')).code.text)
    await expect(result(verifier.page)).toHaveAttribute('data-admission', 'refuse')
    await wedge(verifier.page, (await city.mint('resident-green')).code.text)
    await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
  })
})

test('a person who types is not a hand scanner', async ({ phone }) => {
  const verifier = await openScanner(phone)
  const scans: string[] = []
  verifier.page.on('request', (request) => {
    if (isScan(request)) scans.push(request.url())
  })
  await verifier.page.keyboard.type('HELLO', { delay: 250 })
  await verifier.page.keyboard.press('Shift')
  await expect(result(verifier.page)).toHaveCount(0)
  expect(scans).toEqual([])
})

test('typing a code in', async ({ phone, city }) => {
  const person = await city.persona('resident-yellow')
  const verifier = await openScanner(phone)
  const sent = verifier.page.waitForRequest(isScan)
  const answer = await enter(verifier.page, (await city.mint('resident-yellow')).code.text)
  expect((await sent).postDataJSON()).toMatchObject({ method: 'manual' })
  expect(answer).toMatchObject({ outcome: 'valid', admission: 'check' })
  await expect(verifier.page.getByTestId('result-name')).toHaveText(masked(person.name))
})

test('nothing typed is said, not sent', async ({ phone }) => {
  const verifier = await openScanner(phone)
  await verifier.page.getByTestId('manual-open').click()
  await verifier.page.getByTestId('manual-submit').click()
  await expect(verifier.page.getByTestId('manual-input')).toBeFocused()
  await expect(verifier.page.getByText('请先输入城市码内容')).toBeVisible()
})

test('with the keyboard alone: sign in, show a code', async ({ phone, city }) => {
  const { page } = await phone({ width: 1280, height: 800 })
  await page.goto(city.url)
  const card = page.getByTestId('persona-resident-green')
  await expect(card).toBeVisible()
  for (let presses = 0; presses < 30 && !(await card.evaluate((element) => element === document.activeElement)); presses++) await page.keyboard.press('Tab')
  await expect(card).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('code-qr')).toBeVisible()
  const refresh = page.getByTestId('code-refresh')
  for (let presses = 0; presses < 30 && !(await refresh.evaluate((element) => element === document.activeElement)); presses++) await page.keyboard.press('Tab')
  await expect(refresh).toBeFocused()
})

test('with the keyboard alone: type a code, read the result, go on', async ({ phone, city }) => {
  const { page } = await openScanner(phone, { width: 1280, height: 800 })
  const open = page.getByTestId('manual-open')
  for (let presses = 0; presses < 30 && !(await open.evaluate((element) => element === document.activeElement)); presses++) await page.keyboard.press('Tab')
  await expect(open).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('manual-input')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(page.getByTestId('manual-input')).toBeHidden()
  await open.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('manual-input')).toBeFocused()
  await page.keyboard.insertText((await city.mint('resident-red')).code.text)
  const answered = page.waitForResponse((response) => isScan(response.request()))
  await page.keyboard.press('Enter')
  expect((await (await answered).json()) as Verification).toMatchObject({ outcome: 'valid', admission: 'refuse' })
  await expect(page.getByTestId('scan-next')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(result(page)).toHaveCount(0)
})
