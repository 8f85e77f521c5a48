import { setting } from '../lib/apps.ts'
import { check } from '../lib/check.ts'
import { masked } from '../lib/city.ts'
import { states } from '../lib/states.ts'
import { test } from '../lib/test.ts'

// Every page in every state, in both languages and both type sizes: accessible, translated, in its bounds.

test.describe.configure({ mode: 'parallel' })

for (const { name, spoken, open } of states) {
  test(`${name} is accessible, translated and in its bounds`, async ({ phone, city, guard }) => {
    const small = { width: 360, height: 740, scale: 1 }
    const names = (await city.personas()).flatMap(({ name }) => [name, masked(name)])
    const { page } = await open({ phone, city, guard }, small)
    await check(page, 'zh-CN', names)
    if (spoken) {
      const english = await open({ phone, city, guard }, { ...small, language: 'en', size: 'large' })
      await check(english.page, 'en, large', names)
    } else {
      await setting(page, 'citycode.language', 'en')
      await setting(page, 'citycode.type_size', 'large')
      await check(page, 'en, large', names)
    }
  })
}
