import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect } from './test.ts'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** What holds for every page in every state. Names of people are not translated. */
export async function check(page: Page, state: string, names: string[] = []): Promise<void> {
  // What the server says in the other language arrives a little after the page's own words.
  await expect(async () => {
    const { foreign, keys, wide } = await page.evaluate(look, names)
    expect(keys, `names of messages instead of their text, ${state}`).toEqual([])
    expect(foreign, `text in another language, ${state}`).toEqual([])
    expect(wide, `wider than the screen, ${state}`).toEqual([])
  }).toPass({ timeout: 30_000 })
  await settled(page)
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze()
  expect(violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`), `accessibility, ${state}`).toEqual([])
}

/** Waits for fades to end: halfway through, no contrast holds. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(() => Promise.all(
    document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations === 1).map((one) => one.finished.catch(() => undefined))))
}

/** Runs in the page. */
function look(names: string[]): { foreign: string[]; keys: string[]; wide: string[] } {
  const foreign: string[] = []
  const keys: string[] = []
  const english = document.documentElement.lang === 'en'
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = (node.textContent ?? '').trim()
    const parent = node.parentElement
    if (text === '' || parent === null || parent.closest('script, style, noscript, [lang]:not(html)')) continue
    if (/^[a-z]+(\.[A-Za-z_]+)+$/.test(text) && !text.endsWith('.json')) keys.push(text)
    const rest = names.reduce((left, name) => left.replaceAll(name, ''), text)
    if (english && /\p{Script=Han}/u.test(rest)) foreign.push(text)
  }
  for (const element of document.querySelectorAll('[aria-label], [title], [alt], [placeholder]')) {
    for (const name of ['aria-label', 'title', 'alt', 'placeholder']) {
      const text = element.getAttribute(name) ?? ''
      if (english && /\p{Script=Han}{2}/u.test(text) && !element.closest('[lang]:not(html)')) foreign.push(`${name}: ${text}`)
    }
  }
  const wide: string[] = []
  const width = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth > width) {
    for (const element of document.body.querySelectorAll('*')) {
      const box = element.getBoundingClientRect()
      if (box.width > 0 && box.right > width + 1 && !element.closest('svg')) wide.push(`${element.tagName} ${element.className} to ${Math.round(box.right)}`)
    }
    wide.push(`page: ${document.documentElement.scrollWidth} of ${width}`)
  }
  return { foreign, keys, wide: wide.slice(0, 5) }
}
