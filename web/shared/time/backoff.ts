/** Waits between tries: 1, 2, 4, 8, 15, then 30 s each. */
const STEPS_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000]

/**
 * How long to wait after the nth failure in a row (from 1), in ms. Spread by a
 * fifth either way, so that a city's phones don't all come back in one second.
 */
export function backoff(failures: number, random: () => number = Math.random): number {
  const step = STEPS_MS[Math.min(Math.max(failures, 1), STEPS_MS.length) - 1] ?? 30_000
  return Math.round(step * (0.8 + 0.4 * random()))
}
