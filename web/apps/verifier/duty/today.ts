const DAY_MS = 86_400_000

/** The last midnight in a zone `offsetMinutes` east of UTC, Unix ms. */
export function midnight(now: number, offsetMinutes: number): number {
  const offset = offsetMinutes * 60_000
  return Math.floor((now + offset) / DAY_MS) * DAY_MS - offset
}
