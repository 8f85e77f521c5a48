import { describe, expect, it } from 'vitest'
import { ServerClock } from './server-clock.ts'

function phone(wallStart: number) {
  const state = { monotonic: 5_000, wall: wallStart }
  const clock = new ServerClock({ monotonic: () => state.monotonic, wall: () => state.wall })
  const pass = (ms: number) => {
    state.monotonic += ms
    state.wall += ms
  }
  return { state, clock, pass }
}

const server = Date.parse('2026-11-22T01:41:27.000Z')

describe('the server clock', () => {
  it('follows the server, whatever hour the phone shows', () => {
    const { clock, pass, state } = phone(server - 7 * 3600_000)
    const sent = state.monotonic
    pass(200)
    clock.observe(new Date(server).toISOString(), sent, state.monotonic)
    expect(clock.now()).toBe(server + 100) // half of the way there and back
    pass(30_000)
    expect(clock.now()).toBe(server + 30_100)
    expect(clock.phoneAheadMs()).toBe(-7 * 3600_000 + 100)
  })

  it('shows the phone’s time before the first answer, and says that it is unsure', () => {
    const { clock, state } = phone(server)
    expect(clock.now()).toBe(state.wall)
    expect(clock.sure).toBe(false)
  })

  it('keeps the better sample while it is fresh', () => {
    const { clock, pass, state } = phone(server)
    clock.observe(new Date(server).toISOString(), state.monotonic - 20, state.monotonic)
    const before = clock.now()
    // A slow answer that would move the clock by 900 ms.
    clock.observe(new Date(server).toISOString(), state.monotonic - 1_800, state.monotonic)
    expect(clock.now()).toBe(before)
    pass(6 * 60_000)
    clock.observe(new Date(server + 6 * 60_000).toISOString(), state.monotonic - 100, state.monotonic)
    expect(clock.now()).toBe(server + 6 * 60_000 + 50)
  })

  it('counts a sleep in which the monotonic clock stood still', () => {
    const { clock, state } = phone(server)
    clock.observe(new Date(server).toISOString(), state.monotonic, state.monotonic)
    state.wall += 90_000
    expect(clock.sure).toBe(false)
    expect(clock.now()).toBe(server + 90_000)
    clock.observe(new Date(server + 91_000).toISOString(), state.monotonic - 400, state.monotonic)
    expect(clock.sure).toBe(true)
    expect(clock.now()).toBe(server + 91_200)
  })

  it('is not led backwards by a phone set to an earlier hour', () => {
    const { clock, state } = phone(server)
    clock.observe(new Date(server).toISOString(), state.monotonic, state.monotonic)
    state.wall -= 3600_000
    expect(clock.now()).toBe(server)
  })

  it('leaves an unreadable time alone', () => {
    const { clock, state } = phone(server)
    clock.observe('soon', 0, 1)
    expect(clock.now()).toBe(state.wall)
  })
})
