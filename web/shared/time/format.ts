import type { Language } from '../settings/settings.ts'

/** The city's zone until /v1/city has answered. */
export const DEFAULT_ZONE = 'Asia/Shanghai'

const formats = new Map<string, Intl.DateTimeFormat>()

/** Making a format costs a millisecond on old phones, and a clock needs one each second. */
function format(language: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + zone + JSON.stringify(options)
  let made = formats.get(key)
  if (!made) {
    made = new Intl.DateTimeFormat(language, { timeZone: zone, ...options })
    formats.set(key, made)
  }
  return made
}

const HMS = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const
const HM = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const

/** 09:41:27 in the zone, the same in every language. */
export function clockTime(at: number, zone = DEFAULT_ZONE): string {
  return format('en-GB', zone, HMS).format(at)
}

/** 09:41 in the zone. */
export function shortTime(at: number, zone = DEFAULT_ZONE): string {
  return format('en-GB', zone, HM).format(at)
}

/** 2026-11-22, the civil day in the zone. */
export function civilDay(at: number, zone = DEFAULT_ZONE): string {
  return format('en-CA', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(at)
}

/** 11月22日 or 22 November; with the year if it isn't this one. */
export function dayName(at: number, now: number, language: Language, zone = DEFAULT_ZONE): string {
  const sameYear = civilDay(at, zone).slice(0, 4) === civilDay(now, zone).slice(0, 4)
  const tag = language === 'en' ? 'en-GB' : language
  return format(tag, zone, { month: 'long', day: 'numeric', ...(sameYear ? {} : { year: 'numeric' as const }) }).format(at)
}

export type Nearness = 'today' | 'yesterday' | 'day'

/** Whether people would say today, yesterday or the date. */
export function nearness(at: number, now: number, zone = DEFAULT_ZONE): Nearness {
  const day = civilDay(at, zone)
  if (day === civilDay(now, zone)) return 'today'
  return day === civilDay(now - 24 * 3600_000, zone) ? 'yesterday' : 'day'
}
