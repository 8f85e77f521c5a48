import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openScanner, result, scan, showCode } from '../lib/apps.ts'
import { settled } from '../lib/check.ts'
import { expect, test } from '../lib/test.ts'

/** Where the README's pictures lie. */
const folder = join(__dirname, '..', '..', '..', 'docs', 'image')

test('the pictures of the README', async ({ phone }) => {
  mkdirSync(folder, { recursive: true })
  const resident = await showCode(phone, 'resident-green')
  await settled(resident.page)
  const picture = await resident.page.screenshot({ path: join(folder, 'resident.png') })
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  await scan(verifier, picture)
  await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
  await settled(verifier.page)
  // The ring of the keyboard's focus: a thumb sees none.
  await verifier.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
  await verifier.page.screenshot({ path: join(folder, 'verifier.png') })
})
