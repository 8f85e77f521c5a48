import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../api/failure.ts'
import type { SessionAnswer } from '../api/types.ts'
import { Session, storageKey } from './session.ts'

const answer = (n: number): SessionAnswer => ({
  access_token: `access-${n}`, refresh_token: `refresh-${n}`, expires_in: 900, person: { id: 'p', name: '张*三' },
})

/** Locks as tabs of one browser share them. */
function sharedLocks(): LockManager {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    request: (_name: string, work: () => Promise<unknown>) => {
      const mine = tail.then(work)
      tail = mine.catch(() => undefined)
      return mine
    },
  } as unknown as LockManager
}

beforeEach(() => localStorage.clear())

describe('a session', () => {
  it('is kept under its own app’s key', () => {
    new Session('resident', { now: () => 1_000 }).start(answer(1))
    expect(JSON.parse(localStorage.getItem('citycode.resident.session') ?? '')).toEqual({
      access_token: 'access-1', refresh_token: 'refresh-1', expires_at: 901_000, person: 'p',
    })
    expect(new Session('resident').accessToken).toBe('access-1')
    expect(new Session('verifier').signedIn).toBe(false)
  })

  it.each(['', 'null', '{}', '[1]', 'not json', '{"access_token":"a"}'])('takes %j in the storage for signed out', (text) => {
    localStorage.setItem(storageKey('resident'), text)
    expect(new Session('resident').signedIn).toBe(false)
  })

  it('is renewed once for many calls at the same moment', async () => {
    const session = new Session('resident', { locks: null })
    session.start(answer(1))
    const call = vi.fn(async () => answer(2))
    const tokens = await Promise.all([1, 2, 3, 4].map(() => session.renew('access-1', call)))
    expect(tokens).toEqual(Array(4).fill('access-2'))
    expect(call).toHaveBeenCalledTimes(1)
    expect(call).toHaveBeenCalledWith('refresh-1')
  })

  it('is renewed once for two tabs', async () => {
    const locks = sharedLocks()
    const one = new Session('resident', { locks })
    one.start(answer(1))
    const two = new Session('resident', { locks })
    const call = vi.fn(async () => answer(2))
    const tokens = await Promise.all([one.renew('access-1', call), two.renew('access-1', call)])
    expect(tokens).toEqual(['access-2', 'access-2'])
    expect(call).toHaveBeenCalledTimes(1)
    expect(two.accessToken).toBe('access-2')
  })

  it('takes the other tab’s tokens when both asked without locks and this one came second', async () => {
    const session = new Session('resident', { locks: null })
    session.start(answer(1))
    const token = await session.renew('access-1', async () => {
      new Session('resident').start(answer(2))
      throw new Failure('signed_out', 401)
    })
    expect(token).toBe('access-2')
    expect(session.signedIn).toBe(true)
  })

  it('ends when the server refuses to renew it', async () => {
    const session = new Session('resident', { locks: null })
    session.start(answer(1))
    await expect(session.renew('access-1', async () => { throw new Failure('signed_out', 401) })).rejects.toMatchObject({ reason: 'signed_out' })
    expect(session.signedIn).toBe(false)
    expect(localStorage.getItem(storageKey('resident'))).toBeNull()
  })

  it('outlives a network or a database that is away', async () => {
    const session = new Session('resident', { locks: null })
    session.start(answer(1))
    for (const reason of ['offline', 'slow', 'broken', 'busy'] as const) {
      await expect(session.renew('access-1', async () => { throw new Failure(reason) })).rejects.toMatchObject({ reason })
      expect(session.accessToken).toBe('access-1')
    }
  })

  it('follows another tab that signs out or in', () => {
    const session = new Session('resident')
    session.start(answer(1))
    localStorage.removeItem(storageKey('resident'))
    window.dispatchEvent(new StorageEvent('storage', { key: storageKey('resident') }))
    expect(session.signedIn).toBe(false)
    new Session('resident').start(answer(3))
    window.dispatchEvent(new StorageEvent('storage', { key: storageKey('resident') }))
    expect(session.accessToken).toBe('access-3')
  })

  it('lives in the tab alone when the storage is full or forbidden', async () => {
    const forbidden = { getItem: () => null, setItem: () => { throw new DOMException('full') }, removeItem: () => undefined } as unknown as Storage
    const session = new Session('resident', { storage: forbidden, locks: null })
    session.start(answer(1))
    expect(session.accessToken).toBe('access-1')
    expect(await session.renew('access-1', async () => answer(2))).toBe('access-2')
  })
})
