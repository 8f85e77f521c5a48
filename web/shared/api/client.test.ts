import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Network } from '../network/network.ts'
import { Session } from '../session/session.ts'
import { ServerClock } from '../time/server-clock.ts'
import { Client } from './client.ts'
import type { Failure } from './failure.ts'

type Handler = (path: string, init: RequestInit & { headers: Record<string, string> }) => Response | Promise<Response>

function setup(handler: Handler, signedIn = true) {
  const session = new Session('resident', { locks: null })
  if (signedIn) session.start({ access_token: 'a1', refresh_token: 'r1', expires_in: 900, person: { id: 'p', name: 'x' } })
  const clock = new ServerClock()
  const network = new Network(clock)
  const fetch = vi.fn(handler as unknown as typeof globalThis.fetch)
  return { session, network, clock, fetch, api: new Client({ session, clock, network, language: () => 'zh-CN', fetch }) }
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })

const failureOf = (promise: Promise<unknown>): Promise<Failure> => promise.then(() => { throw new Error('succeeded') }, (error: Failure) => error)

beforeEach(() => localStorage.clear())

describe('a call', () => {
  it('carries token, language, body and key', async () => {
    const { api, fetch } = setup(() => json(200, {}))
    await api.post('/v1/verifications', { text: 'X' }, { idempotencyKey: 'k' })
    const [path, init] = fetch.mock.calls[0] ?? []
    expect(path).toBe('/v1/verifications')
    expect(init).toMatchObject({
      method: 'POST', body: '{"text":"X"}', cache: 'no-store', credentials: 'omit',
      headers: { Authorization: 'Bearer a1', 'Accept-Language': 'zh-CN', 'Idempotency-Key': 'k', 'Content-Type': 'application/json' },
    })
  })

  it('leaves empty query values out', async () => {
    const { api, fetch } = setup(() => json(200, {}))
    await api.get('/v1/me/looks', { query: { limit: 20, cursor: null, from: undefined, to: '' } })
    expect(fetch.mock.calls[0]?.[0]).toBe('/v1/me/looks?limit=20')
  })

  it('renews an expired session once and asks again', async () => {
    const asked: string[] = []
    const { api, session } = setup((path, init) => {
      asked.push(`${path} ${init.headers['Authorization'] ?? '-'}`)
      if (path === '/v1/sessions/refresh') return json(200, { access_token: 'a2', refresh_token: 'r2', expires_in: 900, person: { id: 'p', name: 'x' } })
      return init.headers['Authorization'] === 'Bearer a2' ? json(200, { ok: true }) : json(401, { code: 'token_expired' })
    })
    expect(await Promise.all([api.get('/v1/me'), api.get('/v1/me/status')])).toEqual([{ ok: true }, { ok: true }])
    expect(asked.filter((line) => line.startsWith('/v1/sessions/refresh'))).toEqual(['/v1/sessions/refresh -'])
    expect(session.accessToken).toBe('a2')
  })

  it('ends the session when the renewed token is refused too', async () => {
    const { api, session } = setup((path) => (path === '/v1/sessions/refresh'
      ? json(200, { access_token: 'a2', refresh_token: 'r2', expires_in: 900, person: { id: 'p', name: 'x' } })
      : json(401, { code: 'session_revoked' })))
    expect(await failureOf(api.get('/v1/me'))).toMatchObject({ reason: 'signed_out', code: 'session_revoked' })
    expect(session.signedIn).toBe(false)
  })

  it('asks nobody when nobody is signed in', async () => {
    const { api, fetch } = setup(() => json(200, {}), false)
    expect(await failureOf(api.get('/v1/me'))).toMatchObject({ reason: 'signed_out' })
    expect(fetch).not.toHaveBeenCalled()
  })

  it('works without a session for what strangers may ask', async () => {
    const { api, fetch } = setup(() => json(200, { name: '演示市' }), false)
    expect(await api.get('/v1/city', { anonymous: true })).toEqual({ name: '演示市' })
    expect(fetch.mock.calls[0]?.[1]?.headers).not.toHaveProperty('Authorization')
  })

  it.each([
    [403, 'refused'], [404, 'refused'], [409, 'refused'], [422, 'refused'], [429, 'busy'], [500, 'broken'], [503, 'broken'],
  ] as const)('tells a %i as %s, with the server’s code', async (status, reason) => {
    const { api, network } = setup(() => json(status, { code: 'some_code' }, { 'Retry-After': '7' }))
    const failure = await failureOf(api.get('/v1/me'))
    expect(failure).toMatchObject({ reason, status, code: 'some_code', retryAfterMs: status === 429 || status >= 500 ? 7_000 : 0 })
    expect(network.down).toBe(false) // it was answered, after all
  })

  it('survives an error page that isn’t JSON', async () => {
    const { api } = setup(() => new Response('<html>bad gateway', { status: 502 }))
    expect(await failureOf(api.get('/v1/me'))).toMatchObject({ reason: 'broken', status: 502, code: '' })
  })

  it('knows no network, since when, and that it came back', async () => {
    let up = false
    const { api, network } = setup(() => (up ? json(200, {}) : Promise.reject(new TypeError('Failed to fetch'))))
    expect(await failureOf(api.get('/v1/me'))).toMatchObject({ reason: 'offline', passing: true })
    const { since } = network.state
    expect(since).not.toBeNull()
    await failureOf(api.get('/v1/me'))
    expect(network.state.since).toBe(since)
    up = true
    await api.get('/v1/me')
    expect(network.down).toBe(false)
  })

  it('takes an answer cut short for no network', async () => {
    const { api } = setup(() => new Response('{"name":', { status: 200 }))
    expect(await failureOf(api.get('/v1/city', { anonymous: true }))).toMatchObject({ reason: 'offline' })
  })

  it('gives up after its time', async () => {
    const { api, network } = setup((_path, init) => new Promise((_resolve, reject) => {
      init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
    }))
    expect(await failureOf(api.get('/v1/me', { timeoutMs: 20 }))).toMatchObject({ reason: 'slow' })
    expect(network.down).toBe(true)
  })

  it('tells a page that gave up itself from a network that did', async () => {
    const { api, network } = setup((_path, init) => new Promise((_resolve, reject) => {
      init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
    }))
    const abort = new AbortController()
    const call = failureOf(api.get('/v1/me', { signal: abort.signal }))
    abort.abort()
    expect(await call).toMatchObject({ reason: 'aborted' })
    expect(network.down).toBe(false)
  })

  it('sets the clock from server_time', async () => {
    const at = Date.now() + 3_600_000
    const { api, clock } = setup(() => json(200, { server_time: new Date(at).toISOString() }))
    await api.get('/v1/time', { anonymous: true })
    expect(Math.abs(clock.now() - at)).toBeLessThan(10_000)
  })
})
