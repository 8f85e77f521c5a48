import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Failed, Look, Seen } from './decoder.worker.ts'
import { watchFrames } from './frames.ts'
import { Reader, type DecoderWorker } from './reader.ts'

class FakeWorker implements DecoderWorker {
  onmessage: ((event: MessageEvent<Seen | Failed>) => void) | null = null
  onerror: ((event: ErrorEvent) => void) | null = null
  looks: Look[] = []
  ended = false
  postMessage(look: Look): void {
    this.looks.push(look)
  }
  terminate(): void {
    this.ended = true
  }
  answer(text: string | null): void {
    this.onmessage?.({ data: { text, brightness: 100 } } as MessageEvent<Seen>)
  }
}

const video = { videoWidth: 640, videoHeight: 480 } as HTMLVideoElement
let workers: FakeWorker[] = []
const start = () => {
  const worker = new FakeWorker()
  workers.push(worker)
  return worker
}
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  workers = []
  vi.useFakeTimers()
  vi.stubGlobal('OffscreenCanvas', vi.fn())
  vi.stubGlobal('createImageBitmap', () => Promise.resolve({ close: () => undefined }))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('never are two frames in flight', async () => {
  const reader = new Reader(start)
  const first = reader.look(video)
  await settle()
  expect(await reader.look(video)).toBeNull()
  expect(workers[0]?.looks).toHaveLength(1)
  workers[0]?.answer('A')
  expect(await first).toMatchObject({ text: 'A' })
})

test('every fifth frame is looked at thoroughly', async () => {
  const reader = new Reader(start)
  for (let frame = 0; frame < 10; frame++) {
    const look = reader.look(video)
    await settle()
    workers[0]?.answer(null)
    await look
  }
  expect(workers[0]?.looks.map((look) => look.thorough)).toEqual([false, false, false, false, true, false, false, false, false, true])
})

test('a worker that dies or hangs is replaced', async () => {
  const reader = new Reader(start)
  const dying = reader.look(video)
  await settle()
  workers[0]?.onerror?.(new ErrorEvent('error'))
  expect(await dying).toBeNull()
  expect(await reader.look(video), 'not at once').toBeNull()
  await vi.advanceTimersByTimeAsync(2_000)
  const hanging = reader.look(video)
  await settle()
  expect(workers).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(await hanging).toBeNull()
  expect(workers[1]?.ended).toBe(true)
})

test('a decoder that didn’t arrive is fetched again', async () => {
  const reader = new Reader(start)
  const first = reader.look(video)
  await settle()
  workers[0]?.onmessage?.({ data: { failed: true, dead: true } } as MessageEvent<Failed>)
  expect(await first).toBeNull()
  await vi.advanceTimersByTimeAsync(2_000)
  const second = reader.look(video)
  await settle()
  workers[1]?.answer('A')
  expect(await second).toMatchObject({ text: 'A' })
})

test('a picture that can’t be read does not cost the worker', async () => {
  const reader = new Reader(start)
  const first = reader.look(video)
  await settle()
  workers[0]?.onmessage?.({ data: { failed: true, dead: false } } as MessageEvent<Failed>)
  expect(await first).toBeNull()
  void reader.look(video)
  await settle()
  expect(workers).toHaveLength(1)
})

test('a closed reader looks no more and ends its worker', async () => {
  const reader = new Reader(start)
  const look = reader.look(video)
  await settle()
  workers[0]?.answer(null)
  await look
  reader.close()
  expect(workers[0]?.ended).toBe(true)
  expect(await reader.look(video)).toBeNull()
})

test('the next frame is asked for only after the last was read', async () => {
  const shown: (() => void)[] = []
  const playing = { requestVideoFrameCallback: (then: () => void) => shown.push(then), cancelVideoFrameCallback: () => undefined }
  let read: () => void = () => undefined
  let looks = 0
  const stop = watchFrames(playing as unknown as HTMLVideoElement, () => {
    looks++
    return new Promise((resolve) => (read = resolve))
  })
  shown.shift()?.()
  await vi.advanceTimersByTimeAsync(10_000)
  expect([looks, shown.length]).toEqual([1, 0])
  read()
  await vi.advanceTimersByTimeAsync(100)
  expect(shown).toHaveLength(1)
  stop()
  shown.shift()?.()
  expect(looks).toBe(1)
})
