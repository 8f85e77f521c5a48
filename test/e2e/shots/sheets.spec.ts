import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setting } from '../lib/apps.ts'
import { settled } from '../lib/check.ts'
import { states } from '../lib/states.ts'
import { test } from '../lib/test.ts'

// Every page in every state at the sizes that people use, for looking through: test/out/shots.

const folder = join(__dirname, '..', '..', 'out', 'shots')

const sizes = [
  { name: '360x740', width: 360, height: 740 },
  { name: '414x896', width: 414, height: 896 },
  { name: '820x1180', width: 820, height: 1180 },
  { name: '1280x800', width: 1280, height: 800 },
] as const

for (const { name, open } of states) {
  test(`pictures of ${name}`, async ({ phone, city, guard }) => {
    for (const language of ['zh-CN', 'en'] as const) {
      const { page } = await open({ phone, city, guard }, { width: 414, height: 896, scale: 1, language })
      for (const type of ['normal', 'large'] as const) {
        await setting(page, 'citycode.type_size', type)
        for (const { name: size, width, height } of sizes) {
          if (type === 'large' && width === 820) continue
          await page.setViewportSize({ width, height })
          await page.waitForTimeout(300) // pictures only: what comes late is seen in the next one
          await settled(page)
          const place = join(folder, `${language}-${type}-${size}`)
          mkdirSync(place, { recursive: true })
          await page.screenshot({ path: join(place, `${name.replaceAll(/[^a-z]+/gi, '-')}.png`), scale: 'css' })
        }
      }
    }
  })
}
