import type { Page } from '@playwright/test'
import { cityTime, everything, isScan, openScanner, result, scan, type Verification } from '../lib/apps.ts'
import { Camera } from '../lib/camera.ts'
import { masked } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

const cases = [
  { color: 'green', admission: 'admit', word: '放行', label: '绿码' },
  { color: 'yellow', admission: 'check', word: '请复核', label: '黄码' },
  { color: 'red', admission: 'refuse', word: '劝阻', label: '红码' },
] as const

for (const { color, admission, word, label } of cases) {
  test(`from the home page to the result: ${color} means ${admission}`, async ({ phone, city }) => {
    const person = await city.persona(`resident-${color}`)
    const me = await city.persona('verifier')

    // The resident's phone.
    const resident = await phone()
    await resident.page.goto(city.url)
    await expect(resident.page.getByTestId('sample')).toBeVisible()
    await resident.page.getByTestId(`persona-resident-${color}`).click()
    await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', color)
    await expect(resident.page.getByTestId('status-card')).toContainText(label)
    await expect(resident.page.getByTestId('code-qr')).toBeVisible()
    await expect(resident.page.locator('body')).toContainText(masked(person.name))
    expect(await everything(resident.page)).not.toContain(person.document_number)

    // The verifier's phone, signed in the same way.
    const verifier = await phone()
    const answers: string[] = []
    verifier.page.on('response', (response) => {
      if (new URL(response.url()).pathname.startsWith('/v1/verifications')) void response.text().then((body) => answers.push(body), () => undefined)
    })
    await verifier.page.goto(city.url)
    await verifier.page.getByTestId('persona-verifier').click()
    await expect(verifier.page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
    await recordFeelings(verifier.page)

    // Its camera sees the resident's screen.
    const answered = verifier.page.waitForResponse((response) => isScan(response.request()))
    await Camera.of(verifier.page).see(await resident.page.screenshot())
    const answer = (await (await answered).json()) as Verification
    expect(answer).toMatchObject({ outcome: 'valid', admission, kind: 'live', status: { color, label }, subject: { name: masked(person.name) } })

    const screen = result(verifier.page)
    await expect(screen).toHaveAttribute('data-outcome', 'valid')
    await expect(screen).toHaveAttribute('data-admission', admission)
    await expect(screen.getByRole('heading', { level: 1 })).toHaveText(word)
    await expect(verifier.page.getByTestId('result-name')).toHaveText(masked(person.name))
    const field = await screen.boundingBox()
    expect(field).toEqual({ x: 0, y: 0, width: 414, height: 896 })

    // Who scanned, when, and which scan, over everything.
    const mark = verifier.page.getByTestId('watermark')
    await expect(mark).toContainText(masked(me.name))
    await expect(mark).toContainText(cityTime(answer.verified_at))
    await expect(mark).toContainText(answer.id.slice(-8))
    expect(await mark.boundingBox()).toEqual(field)
    await expect(verifier.page.getByTestId('announcement')).toContainText(word)

    if (admission === 'admit') {
      // By itself back to the camera; the same code is still before it and isn't scanned twice.
      await expect(screen).toHaveCount(0)
      await expect(verifier.page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'again')
    } else {
      await expect(screen.getByTestId('scan-next')).toBeFocused()
      await verifier.page.keyboard.press('Enter')
      await expect(screen).toHaveCount(0)
    }
    await expect(verifier.page.getByTestId('scanner-video')).toBeVisible()
    expect((await feelings(verifier.page)).vibrations).toHaveLength(1)

    // Least disclosure: neither the page nor any answer ever held more.
    expect(answers.length).toBeGreaterThan(0)
    for (const text of [await everything(verifier.page), ...answers]) {
      expect(text).not.toContain(person.name)
      expect(text).not.toContain(person.document_number)
    }

    // The resident can see who looked.
    await resident.page.locator('a[href="#/looks"]').click()
    const look = resident.page.getByTestId('looks').getByRole('listitem').first()
    await expect(look).toContainText(masked(me.name))
    await expect(look).toContainText('场所出入')
    await expect(look.locator('time')).toHaveAttribute('datetime', answer.verified_at)
    expect(await everything(resident.page)).not.toContain(me.name)
  })
}

test('a check, a refusal and an invalid code stay until somebody taps', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { clock: 'now' })
  for (const [persona, tone] of [['resident-yellow', 'check'], ['resident-red', 'refuse'], [null, 'invalid']] as const) {
    const text = persona === null ? 'A'.repeat(61) : (await city.mint(persona)).code.text
    await verifier.page.getByTestId('manual-open').click()
    await verifier.page.getByTestId('manual-input').fill(text)
    await verifier.page.getByTestId('manual-submit').click()
    await expect(result(verifier.page)).toHaveAttribute('data-tone', tone)
    await verifier.page.clock.fastForward(20_000)
    await expect(result(verifier.page)).toHaveAttribute('data-tone', tone)
    await verifier.page.getByTestId('scan-next').click()
    await expect(result(verifier.page)).toHaveCount(0)
  }
})

test('an admission left on the screen turns grey after a minute', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { clock: 'now', preferences: { returnAfterMs: 0 } })
  await verifier.page.getByTestId('manual-open').click()
  await verifier.page.getByTestId('manual-input').fill((await city.mint('resident-green')).code.text)
  await verifier.page.getByTestId('manual-submit').click()
  await expect(result(verifier.page)).toHaveAttribute('data-tone', 'admit')
  await verifier.page.clock.fastForward(61_000)
  await expect(result(verifier.page)).toHaveAttribute('data-tone', 'old')
  await expect(verifier.page.getByTestId('result-name')).toHaveCount(0)
})

test('each result sounds and vibrates in its own way', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  await recordFeelings(verifier.page)
  const felt = new Map<string, string>()
  for (const persona of ['resident-green', 'resident-yellow', 'resident-red', null]) {
    const before = await feelings(verifier.page)
    await verifier.page.getByTestId('manual-open').click()
    await verifier.page.getByTestId('manual-input').fill(persona === null ? 'NOTHING' : (await city.mint(persona)).code.text)
    await verifier.page.getByTestId('manual-submit').click()
    await expect(result(verifier.page)).toBeVisible()
    await expect.poll(async () => (await feelings(verifier.page)).notes.length).toBeGreaterThan(before.notes.length)
    const after = await feelings(verifier.page)
    felt.set(String(persona), JSON.stringify([after.notes.slice(before.notes.length), after.vibrations.slice(before.vibrations.length)]))
    await verifier.page.getByTestId('scan-next').click()
  }
  expect(new Set(felt.values()).size).toBe(4)
})

test("the verifier's own scans and counts of today", async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  await verifier.page.goto(`${city.url}/verify/#/records`)
  const total = verifier.page.getByTestId('counts-total')
  await expect(total).toHaveText(/^[\d,]+$/)
  const before = Number((await total.textContent())?.replace(',', ''))
  await verifier.page.goto(`${city.url}/verify/#/`)
  const resident = await phone({ as: 'resident-yellow' })
  await resident.page.goto(`${city.url}/app/`)
  await expect(resident.page.getByTestId('code-qr')).toBeVisible()
  const answer = await scan(verifier, await resident.page.screenshot())
  await verifier.page.getByTestId('scan-next').click()
  await verifier.page.goto(`${city.url}/verify/#/records`)
  await expect(total).toHaveText((before + 1).toLocaleString('en'))
  const newest = verifier.page.getByTestId('records-list').getByRole('listitem').first()
  await expect(newest).toContainText('黄码')
  await expect(newest.locator('time')).toHaveText(cityTime(answer.verified_at).slice(11))
  // Whom was scanned is not for the verifier's list.
  const person = await city.persona('resident-yellow')
  expect(await everything(verifier.page)).not.toContain(masked(person.name))
  await newest.getByRole('link').click()
  await expect(verifier.page.getByTestId('record')).toContainText(answer.id)
})

interface Feelings {
  notes: number[]
  vibrations: string[]
}

/** Notes and vibrations of a page, written down instead of played. */
async function recordFeelings(page: Page): Promise<void> {
  await page.evaluate(() => {
    const felt: Feelings = { notes: [], vibrations: [] }
    Object.assign(window, { felt })
    navigator.vibrate = (pattern) => felt.vibrations.push(JSON.stringify(pattern)) > 0
    const start = Object.getOwnPropertyDescriptor(OscillatorNode.prototype, 'start')?.value as OscillatorNode['start'] | undefined
    OscillatorNode.prototype.start = function (this: OscillatorNode, at?: number) {
      felt.notes.push(this.frequency.value)
      return (start ?? AudioScheduledSourceNode.prototype.start).call(this, at)
    }
  })
}

function feelings(page: Page): Promise<Feelings> {
  return page.evaluate(() => (window as unknown as { felt: Feelings }).felt)
}
