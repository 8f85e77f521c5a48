import { everything, enter, openScanner, result, scan, showCode } from '../lib/apps.ts'
import { masked, maskedNumber, until, type CodeAnswer } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

// The first file, because its last test waits a real minute: the others run meanwhile.

let old: CodeAnswer
let oldPicture: Buffer

test.beforeAll(async ({ city, browser }) => {
  const context = await browser.newContext({ viewport: { width: 414, height: 896 } })
  const page = await context.newPage()
  await page.goto(city.url)
  const minted = page.waitForResponse((response) => response.url().endsWith('/v1/codes') && response.ok())
  await page.getByTestId('persona-resident-green').click()
  old = (await (await minted).json()) as CodeAnswer
  await expect(page.getByTestId('code-qr')).toBeVisible()
  oldPicture = await page.screenshot()
  await context.close()
})

test('a code with one character changed is never valid and discloses nothing', async ({ phone, city }) => {
  const person = await city.persona('resident-green')
  const verifier = await openScanner(phone)
  // The first character holds version and kind, the 3rd the key, the 20th and the 60th sealed bytes.
  for (const at of [0, 2, 19, 40, 59]) {
    const { text } = (await city.mint('resident-green')).code
    const other = text[at] === 'A' ? 'B' : 'A'
    const answer = await enter(verifier.page, text.slice(0, at) + other + text.slice(at + 1))
    expect(['forged', 'unknown_key', 'malformed', 'expired']).toContain(answer.outcome)
    if (at === 59) expect(answer.outcome).toBe('forged')
    expect(answer.admission).toBe('refuse')
    expect(answer.subject ?? null).toBeNull()
    expect(answer.status ?? null).toBeNull()
    await expect(result(verifier.page)).toHaveAttribute('data-tone', 'invalid')
    await expect(verifier.page.getByTestId('result-name')).toHaveCount(0)
    const page = await everything(verifier.page)
    for (const secret of [person.name, masked(person.name), person.document_number, maskedNumber(person.document_number)]) {
      expect(page).not.toContain(secret)
    }
    await verifier.page.getByTestId('scan-next').click()
  }
})

test('an identity check shows photo, masked name and masked number, and no colour', async ({ phone, city }) => {
  const person = await city.persona('resident-red')
  const resident = await showCode(phone, 'resident-red')
  const verifier = await openScanner(phone)
  await verifier.page.getByTestId('scene-select').selectOption('id-check')
  const photo = verifier.page.waitForResponse((response) => response.url().endsWith('/photo'))
  const answer = await scan(verifier, await resident.page.screenshot())
  expect(answer).toMatchObject({ outcome: 'valid', admission: 'admit', subject: { name: masked(person.name), document_number: maskedNumber(person.document_number) } })
  expect(answer.status ?? null).toBeNull()
  await expect(verifier.page.getByTestId('result-name')).toHaveText(masked(person.name))
  await expect(verifier.page.getByTestId('result-document')).toHaveText(maskedNumber(person.document_number))
  await expect(verifier.page.getByTestId('result-photo')).toBeVisible()
  const { 'content-type': type, 'cache-control': kept } = (await photo).headers()
  expect(type).toBe('image/jpeg')
  expect(kept).toContain('no-store')
  expect(await verifier.page.getByTestId('result-photo').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(40)
  await expect(result(verifier.page)).not.toContainText(/红码|绿码|黄码/)
  const page = await everything(verifier.page)
  expect(page).not.toContain(person.name)
  expect(page).not.toContain(person.document_number)
  // A photo must be compared: the result stays until it is tapped.
  await verifier.page.getByTestId('scan-next').click()
  await expect(result(verifier.page)).toHaveCount(0)
  await verifier.page.getByTestId('scene-select').selectOption('venue-entry')
})

test('a minute later the same code is expired, and nothing is disclosed', async ({ phone, city }) => {
  const person = await city.persona('resident-green')
  const verifier = await openScanner(phone)
  await until(90_000, 'the code to be over', () => Date.now() > Date.parse(old.code.issued_at) + 61_000)
  const answer = await scan(verifier, oldPicture)
  expect(answer).toMatchObject({ outcome: 'expired', admission: 'refuse' })
  expect(answer.subject ?? null).toBeNull()
  expect(answer.status ?? null).toBeNull()
  await expect(result(verifier.page)).toHaveAttribute('data-outcome', 'expired')
  await expect(result(verifier.page)).toContainText('已过期')
  await expect(verifier.page.getByTestId('watermark')).toBeVisible()
  expect(await everything(verifier.page)).not.toContain(masked(person.name))
})
