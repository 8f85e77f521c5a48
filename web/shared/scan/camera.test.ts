import { afterEach, describe, expect, test, vi } from 'vitest'
import { openCamera, problemOf, type CameraProblem } from './camera.ts'

test.each<[string, CameraProblem]>([
  ['NotAllowedError', 'denied'],
  ['SecurityError', 'denied'],
  ['NotFoundError', 'none'],
  ['OverconstrainedError', 'none'],
  ['NotReadableError', 'busy'],
  ['AbortError', 'busy'],
  ['TypeError', 'unknown'],
])('%s reads as %s', (name, problem) => {
  expect(problemOf({ name })).toBe(problem)
})

describe('opening', () => {
  afterEach(() => vi.unstubAllGlobals())

  function devices(getUserMedia: (constraints: MediaStreamConstraints) => Promise<unknown>): void {
    vi.stubGlobal('isSecureContext', true)
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } })
  }
  const stream = { getVideoTracks: () => [{ getSettings: () => ({ deviceId: 'x' }) }] }

  test('a page without HTTPS says so before it asks', async () => {
    vi.stubGlobal('isSecureContext', false)
    await expect(openCamera(null)).rejects.toMatchObject({ problem: 'insecure' })
  })

  test('a browser without cameras says so', async () => {
    vi.stubGlobal('isSecureContext', true)
    vi.stubGlobal('navigator', {})
    await expect(openCamera(null)).rejects.toMatchObject({ problem: 'unsupported' })
  })

  test('a camera that was unplugged gives way to another', async () => {
    const asked: unknown[] = []
    devices((constraints) => {
      const video = constraints.video as MediaTrackConstraints
      asked.push(video.deviceId ?? video.facingMode)
      return video.deviceId ? Promise.reject({ name: 'OverconstrainedError' }) : Promise.resolve(stream)
    })
    await openCamera('gone')
    expect(asked).toEqual([{ exact: 'gone' }, { ideal: 'environment' }])
  })

  test('a refusal is not asked twice', async () => {
    let asked = 0
    devices(() => {
      asked++
      return Promise.reject({ name: 'NotAllowedError' })
    })
    await expect(openCamera('mine')).rejects.toMatchObject({ problem: 'denied' })
    expect(asked).toBe(1)
  })
})
