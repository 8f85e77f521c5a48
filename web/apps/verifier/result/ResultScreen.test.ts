import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createApp, type App } from 'vue'
import { createI18n } from 'vue-i18n'
import type { Verification } from '@/shared/api/types.ts'
import { zh as shared } from '@/shared/i18n/zh-CN.ts'
import { dutyKey, type Duty } from '../duty/duty.ts'
import { preferences } from '../duty/preferences.ts'
import { zh } from '../text/zh-CN.ts'
import ResultScreen from './ResultScreen.vue'

const NOW = Date.parse('2026-11-22T01:41:27Z')
const WATERMARK = '赵*国 6621 2026-11-22 09:41:27 7f3k2m9q'

function answer(change: object = {}): Verification {
  return {
    id: 'AAAA7f3k2m9q', outcome: 'valid', admission: 'admit', kind: 'live', subject: { name: '张*三' },
    status: { scheme: 'health', color: 'green', label: '绿码', reason_code: 'x', since: '', as_of: '' },
    watermark: { text: WATERMARK }, verified_at: '2026-11-22T01:41:27.000Z', durability: 'committed', compare: null,
    credentials: [], ...change,
  }
}

vi.mock('@/shared/app.ts', () => ({
  useBase: () => ({
    clock: { now: () => Date.now() },
    city: { known: null, zone: 'Asia/Shanghai', demo: false },
    api: { blob: () => new Promise(() => undefined) },
  }),
}))

let page: App | null = null
let went = 0

function show(verification: Verification): HTMLElement {
  went = 0
  page = createApp(ResultScreen, {
    verification, looks: 'other', scannedAt: Date.now(), late: false,
    scene: { name: 'venue-entry', title: '场所出入', purpose: '', discloses: ['name'], shows_status: true },
    onNext: () => went++,
  })
  page.use(createI18n({ legacy: false, locale: 'zh-CN', messages: { 'zh-CN': { ...shared, ...zh } } }))
  page.provide(dutyKey, { state: { counts: null } } as unknown as Duty)
  const place = document.body.appendChild(document.createElement('div'))
  page.mount(place)
  return place
}

function find(within: HTMLElement, id: string): HTMLElement | null {
  return within.querySelector<HTMLElement>(`[data-testid="${id}"]`)
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
  preferences.returnAfterMs = 1_500
})
afterEach(() => {
  page?.unmount()
  page = null
  document.body.replaceChildren()
  vi.useRealTimers()
})

test('an admission goes on by itself after a second and a half', async () => {
  show(answer())
  await vi.advanceTimersByTimeAsync(1_400)
  expect(went).toBe(0)
  await vi.advanceTimersByTimeAsync(200)
  expect(went).toBe(1)
})

test('an admission that somebody touches stays', async () => {
  const result = show(answer())
  result.querySelector('.sheet')?.dispatchEvent(new Event('pointerdown'))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(went).toBe(0)
})

test.each<[string, object]>([
  ['a check', { admission: 'check' }],
  ['a refusal', { admission: 'refuse' }],
  ['a code that isn’t valid', { outcome: 'expired', admission: 'refuse', status: null, subject: null }],
  ['a photo to compare', { subject: { name: '张*三', photo_url: '/v1/verifications/x/photo' } }],
])('%s stays until somebody taps', async (_what, change) => {
  const result = show(answer(change))
  await vi.advanceTimersByTimeAsync(59_000)
  expect(went).toBe(0)
  find(result, 'scan-next')?.click()
  expect(went).toBe(1)
})

test('a green left on the screen for a minute admits nobody any more, and names nobody', async () => {
  preferences.returnAfterMs = 0
  const result = show(answer())
  await vi.advanceTimersByTimeAsync(61_000)
  expect(find(result, 'result')?.dataset['tone']).toBe('old')
  expect(result.textContent).toContain(zh.result.old)
  expect(find(result, 'result-name')).toBeNull()
})

test('the result says who, when in the city’s time, and which scan', () => {
  const result = show(answer())
  expect(find(result, 'result-name')?.textContent).toBe('张*三')
  expect(find(result, 'result-time')?.textContent).toBe('2026-11-22 09:41:27')
  expect(find(result, 'result-number')?.textContent).toBe('7f3k2m9q')
  expect(result.querySelector('h1')?.textContent).toBe('放行')
})

test('the watermark lies over everything and is nothing to read out', () => {
  const mark = find(show(answer()), 'watermark')
  expect(mark?.getAttribute('aria-hidden')).toBe('true')
  expect(mark?.textContent).toContain(WATERMARK)
  expect(mark?.querySelector('pattern')?.getAttribute('patternTransform')).toBe('rotate(-30)')
})

test('“scan next” has the focus', () => {
  show(answer())
  expect(document.activeElement?.getAttribute('data-testid')).toBe('scan-next')
})

test('markup in what the server says is text', () => {
  const result = show(answer({ subject: { name: '<img src=x onerror=alert(1)>' }, watermark: { text: '</text><script>1</script>' } }))
  expect(result.querySelector('img, script')).toBeNull()
  expect(find(result, 'result-name')?.textContent).toBe('<img src=x onerror=alert(1)>')
})
