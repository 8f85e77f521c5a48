import { expect, it } from 'vitest'
import { backoff } from './backoff.ts'
import { civilDay, clockTime, dayName, nearness, shortTime } from './format.ts'

const at = (iso: string) => Date.parse(iso)

it('shows the city’s hours, not the device’s', () => {
  expect(clockTime(at('2026-11-22T01:41:27Z'))).toBe('09:41:27')
  expect(clockTime(at('2026-11-21T16:00:00Z'))).toBe('00:00:00')
  expect(clockTime(at('2026-11-22T01:41:27Z'), 'Asia/Urumqi')).toBe('07:41:27')
  expect(shortTime(at('2026-11-22T01:41:27Z'))).toBe('09:41')
})

it('says today, yesterday and dates by the city’s calendar', () => {
  const now = at('2026-11-22T16:30:00Z') // 00:30 on the 23rd in the city
  expect(civilDay(now)).toBe('2026-11-23')
  expect(nearness(at('2026-11-22T16:01:00Z'), now)).toBe('today')
  expect(nearness(at('2026-11-22T15:59:00Z'), now)).toBe('yesterday')
  expect(nearness(at('2026-11-20T15:59:00Z'), now)).toBe('day')
})

it('names the year only when it is another one', () => {
  const now = at('2026-11-22T04:00:00Z')
  expect(dayName(at('2026-03-01T04:00:00Z'), now, 'zh-CN')).toBe('3月1日')
  expect(dayName(at('2025-03-01T04:00:00Z'), now, 'zh-CN')).toBe('2025年3月1日')
  expect(dayName(at('2026-03-01T04:00:00Z'), now, 'en')).toBe('1 March')
})

it('waits longer after each failure, up to half a minute, never all at once', () => {
  const middle = () => 0.5
  expect([1, 2, 3, 4, 5, 6, 60].map((n) => backoff(n, middle))).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000])
  expect(backoff(1, () => 0)).toBe(800)
  expect(backoff(6, () => 1)).toBe(36_000)
})
