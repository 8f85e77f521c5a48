import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en.ts'
import { zh } from './zh-CN.ts'

type Tree = { [key: string]: string | string[] | Tree }

const root = join(import.meta.dirname, '../..')
const files = (folder: string): string[] => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  .map((name) => join(folder, name)).filter((name) => /\.(vue|ts)$/.test(name) && !name.endsWith('.test.ts'))

function flat(tree: Tree, path = ''): Map<string, string> {
  const entries = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    const here = path ? `${path}.${key}` : key
    if (typeof value === 'string') entries.set(here, value)
    else if (Array.isArray(value)) value.forEach((text, i) => entries.set(`${here}.${i}`, text))
    else for (const [k, v] of flat(value, here)) entries.set(k, v)
  }
  return entries
}

async function text(app: string): Promise<{ zh: Tree; en: Tree }> {
  const [own, english] = await Promise.all([
    import(`../../apps/${app}/text/zh-CN.ts`) as Promise<{ zh: Tree }>,
    import(`../../apps/${app}/text/en.ts`) as Promise<{ en: Tree }>,
  ])
  return { zh: { ...(zh as Tree), ...own.zh }, en: { ...(en as Tree), ...english.en } }
}

const apps = readdirSync(join(root, 'apps')).filter((app) => files(join('apps', app)).some((name) => name.includes('/text/zh-CN')))

describe.each(apps)('the words of %s', (app) => {
  it('name the same things in both languages', async () => {
    const both = await text(app)
    const chinese = flat(both.zh)
    const english = flat(both.en)
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort())
    const names = (value: string | undefined) => (value?.match(/\{\w+\}/g) ?? []).sort()
    for (const [key, value] of chinese) expect(names(english.get(key)), key).toEqual(names(value))
  })

  it('hold no English in Chinese and no Chinese in English', async () => {
    const both = await text(app)
    for (const [key, value] of flat(both.zh)) expect(value.replace(/\{\w+\}|HTTPS/gi, '').match(/[a-z]{4,}/i)?.[0] ?? null, key).toBeNull()
    for (const [key, value] of flat(both.en)) expect(value.match(/\p{Script=Han}/u)?.[0] ?? null, key).toBeNull()
  })

  it('are there for every key that a page names', async () => {
    const known = [...flat((await text(app)).zh).keys()]
    for (const file of [...files(join('apps', app)), ...files('shared')]) {
      const source = readFileSync(join(root, file), 'utf8')
      // Whole keys, and beginnings that the page completes: t('a.b'), $t('a.b.' + x), $t(`a.${x}`).
      for (const [, quote, key = ''] of source.matchAll(/\bt\((['"`])([a-z][\w.]*?)(?=['"`]|\$\{)/gi)) {
        const found = key.endsWith('.') ? known.some((name) => name.startsWith(key)) : known.includes(key)
        expect(found, `${file}: ${String(quote)}${key}`).toBe(true)
      }
    }
  })
})
