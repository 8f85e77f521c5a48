import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '@/shared/api/failure.ts'
import type { CodeAnswer, Color } from '@/shared/api/types.ts'
import { ServerClock } from '@/shared/time/server-clock.ts'
import { LiveCode } from './live-code.ts'

const start = Date.parse('2026-11-22T01:41:27.000Z')

interface Server { fail: Failure | null; minted: number; color: Color; lifetime: number; refresh: number }

/** A page with its ticks, over a server that answers or fails as told. */
function page(begin: Partial<Server> = {}) {
  const clock = new ServerClock({ monotonic: () => Date.now() - start, wall: () => Date.now() })
  const server: Server = { fail: null, minted: 0, color: 'green', lifetime: 60_000, refresh: 30, ...begin }
  const mint = vi.fn(async (): Promise<CodeAnswer> => {
    if (server.fail) throw server.fail
    const now = Date.now()
    return {
      code: { text: `CODE${++server.minted}`, kind: 'live', issued_at: new Date(now).toISOString(), expires_at: new Date(now + server.lifetime).toISOString() },
      status: { scheme: 'health', color: server.color, label: '', reason_code: 'r', since: new Date(start).toISOString(), as_of: new Date(now).toISOString() },
      holder: { name: '张*三' }, server_time: new Date(now).toISOString(), refresh_after_s: server.refresh, degraded: false,
    }
  })
  const live = new LiveCode({ mint, clock, random: () => 0.5 })
  live.tick()
  const ticking = setInterval(() => live.tick(), 1_000)
  return { live, mint, server, clock, stopTicking: () => clearInterval(ticking) }
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers({ now: start })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the live code', () => {
  it('is asked for at once and renewed every 30 s, before it ends', async () => {
    const { live, mint } = page()
    expect(live.state.busy).toBe(true)
    await pass(0)
    expect(live.state.code?.text).toBe('CODE1')
    await pass(29_000)
    expect(mint).toHaveBeenCalledTimes(1)
    await pass(1_000)
    expect(live.state.code?.text).toBe('CODE2')
    await pass(60 * 60_000)
    expect(mint).toHaveBeenCalledTimes(122)
  })

  it('comes at least 5 s before the last one ends, whatever the server proposes', async () => {
    const { server } = page({ refresh: 300 })
    await pass(54_000)
    expect(server.minted).toBe(1)
    await pass(1_000)
    expect(server.minted).toBe(2)
  })

  it('stays while the network is away and it is good, and goes the moment it ends', async () => {
    const { live, server, stopTicking } = page()
    await pass(0)
    server.fail = new Failure('offline')
    await pass(30_000)
    expect(live.state.trouble).toMatchObject({ since: start + 30_000, failures: 1 })
    expect(live.state.code?.text).toBe('CODE1')
    await pass(29_500)
    expect(live.state.code?.text).toBe('CODE1')
    stopTicking() // even if the page's seconds were throttled away
    await pass(501)
    expect(live.state.code).toBeNull()
  })

  it('keeps trying, ever more rarely, and says since when', async () => {
    const { live, server, mint } = page({ fail: new Failure('offline') })
    await pass(60_000)
    const tries = mint.mock.calls.length
    expect(tries).toBeGreaterThan(4)
    expect(tries).toBeLessThan(9)
    expect(live.state.trouble?.since).toBe(start)
    server.fail = null
    await pass(36_000)
    expect(live.state.trouble).toBeNull()
    expect(live.state.code).not.toBeNull()
  })

  it('tries at once when the network is said to be back', async () => {
    const { live, server } = page({ fail: new Failure('offline') })
    await pass(120_000)
    server.fail = null
    live.hurry()
    await pass(0)
    expect(live.state.code).not.toBeNull()
  })

  it('waits as long as a busy server asks, hurried or not', async () => {
    const { live, mint } = page({ fail: new Failure('busy', 429, {}, 20_000) })
    await pass(0)
    live.hurry()
    await pass(19_000)
    expect(mint).toHaveBeenCalledTimes(1)
    await pass(2_000)
    expect(mint).toHaveBeenCalledTimes(2)
  })

  it('goes, and isn’t asked for again by itself, when the server refuses this person', async () => {
    const { live, server, mint } = page()
    await pass(0)
    server.fail = new Failure('refused', 403, { code: 'not_allowed' })
    await pass(30_000)
    expect(live.state.code).toBeNull()
    await pass(10 * 60_000)
    expect(mint).toHaveBeenCalledTimes(2)
    server.fail = null
    await live.refresh()
    expect(live.state.code).not.toBeNull()
  })

  it('leaves the page while nobody looks, and no code is asked for meanwhile', async () => {
    const { live, mint } = page()
    await pass(0)
    live.cover()
    expect(live.state.code).toBeNull()
    await pass(10 * 60_000)
    expect(mint).toHaveBeenCalledTimes(1)
    expect(live.state.code).toBeNull()
    live.uncover()
    expect(live.state.code).toBeNull() // the old one has long ended
    await pass(0)
    expect(live.state.code?.text).toBe('CODE2')
  })

  it('is fresh at once on return, the last one standing in until it comes', async () => {
    const { live } = page()
    await pass(10_000)
    live.cover()
    live.uncover()
    expect(live.state.code?.text).toBe('CODE1')
    await pass(0)
    expect(live.state.code?.text).toBe('CODE2')
  })

  it('does not arrive behind a cover that came while it was on its way', async () => {
    const { live } = page()
    live.cover()
    await pass(0)
    expect(live.state.code).toBeNull()
  })

  it('doesn’t flood the server when the page is left and entered again and again', async () => {
    const { live, mint } = page()
    await pass(0)
    for (let i = 0; i < 20; i++) {
      live.cover()
      live.uncover()
      await pass(50)
    }
    expect(mint).toHaveBeenCalledTimes(1)
    expect(live.state.code?.text).toBe('CODE1')
  })

  it('is renewed by hand at most every 3 s', async () => {
    const { live, mint } = page()
    await pass(0)
    await live.refresh()
    expect(mint).toHaveBeenCalledTimes(1)
    expect(live.ready).toBe(false)
    await pass(3_000)
    expect(live.ready).toBe(true)
    await live.refresh()
    expect(live.state.code?.text).toBe('CODE2')
  })

  it('ends on the server’s clock when the phone slept', async () => {
    const { live } = page()
    await pass(0)
    live.cover()
    vi.setSystemTime(start + 70_000)
    live.uncover()
    expect(live.state.code).toBeNull()
  })

  it('is never shown when it arrives already expired', async () => {
    const { live, mint } = page({ lifetime: -1 })
    await pass(10_000)
    expect(live.state.code).toBeNull()
    expect(mint.mock.calls.length).toBeLessThanOrEqual(6)
  })

  it('shows a status that arrives beside it, and never goes back to an older one', async () => {
    const { live } = page()
    await pass(0)
    const base = { scheme: 'health', label: '', reason_code: 'r', since: new Date(start).toISOString() }
    live.takeStatus({ ...base, color: 'red', as_of: new Date(start + 5_000).toISOString() })
    expect(live.state.status?.color).toBe('red')
    live.takeStatus({ ...base, color: 'green', as_of: new Date(start + 4_000).toISOString() })
    expect(live.state.status?.color).toBe('red')
    await pass(30_000)
    expect(live.state.status?.color).toBe('green')
  })

  it('forgets everything when the page is left for good', async () => {
    const { live, mint, server } = page()
    live.stop()
    await pass(60_000)
    expect(live.state.code).toBeNull()
    expect(server.minted).toBe(1)
    expect(mint).toHaveBeenCalledTimes(1)
  })
})
