import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openScanner, result, scan, showCode } from '../lib/apps.ts'
import type { City } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

/** As an operator does it: `citycode import status` beside the running server. */
async function recolor(city: City, persona: string, color: string, reason: string): Promise<void> {
  const person = await city.persona(persona)
  const file = join(city.data, `status-${color}.csv`)
  writeFileSync(file, `document_kind,document_number,scheme,color,reason_code\n${person.document_kind},${person.document_number},health,${color},${reason}\n`)
  try {
    expect(await city.command('import', 'status', file)).toContain('1 changed')
  } finally {
    rmSync(file)
  }
}

test('a status changed beside the server turns the open page red by itself, and the next scan too', async ({ phone, city }) => {
  const resident = await showCode(phone, 'elder')
  await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', 'green')
  const verifier = await openScanner(phone)
  let reloads = 0
  resident.page.on('load', () => reloads++)
  try {
    await recolor(city, 'elder', 'red', 'confirmed_case')
    await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', 'red')
    await expect(resident.page.getByTestId('status-card')).toContainText('红码')
    expect(reloads).toBe(0)
    const answer = await scan(verifier, await resident.page.screenshot())
    expect(answer).toMatchObject({ outcome: 'valid', admission: 'refuse', status: { color: 'red' } })
    await expect(result(verifier.page)).toHaveAttribute('data-tone', 'refuse')
  } finally {
    await recolor(city, 'elder', 'green', 'no_adverse_record')
  }
  await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', 'green')
})

test('without its stream of events the page learns of a change with the next code', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const resident = await phone({ as: 'elder', clock: 'now' })
  await resident.page.route('**/v1/me/status/events', (route) => route.abort())
  await resident.page.goto(`${city.url}/app/`)
  await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', 'green')
  try {
    await recolor(city, 'elder', 'yellow', 'close_contact')
    await expect(async () => {
      await resident.page.clock.fastForward(31_000)
      await expect(resident.page.getByTestId('status-card')).toHaveAttribute('data-color', 'yellow', { timeout: 3_000 })
    }).toPass({ timeout: 60_000 })
  } finally {
    await recolor(city, 'elder', 'green', 'no_adverse_record')
  }
})
