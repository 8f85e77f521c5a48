import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EventFeed, EventParser, type ServerEvent } from './events.ts'
import { Failure } from './failure.ts'

describe('the parser of events', () => {
  const stream = ': hello\n\nevent: status\ndata: {"color":"red"}\n\ndata: one\ndata: two\n\nevent: nothing\n\n: beat\r\n\r\nevent:status\r\ndata:x\r\n\r\n'
  const events: ServerEvent[] = [
    { event: 'status', data: '{"color":"red"}' },
    { event: 'message', data: 'one\ntwo' },
    { event: 'status', data: 'x' },
  ]

  it('reads events and passes over comments', () => {
    expect(new EventParser().push(stream)).toEqual(events)
  })

  it('reads the same however the network cuts it', () => {
    for (const size of [1, 2, 3, 7]) {
      const parser = new EventParser()
      const got: ServerEvent[] = []
      for (let i = 0; i < stream.length; i += size) got.push(...parser.push(stream.slice(i, i + size)))
      expect(got).toEqual(events)
    }
  })
})

describe('the feed', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  const answer = (...chunks: string[]) => new Response(new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  }))

  it('comes back when the line breaks', async () => {
    const got: string[] = []
    const open = vi.fn(async () => answer(`event: status\ndata: ${open.mock.calls.length}\n\n`))
    const feed = new EventFeed({ open, onEvent: (event) => got.push(event.data), random: () => 0.5 })
    feed.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(got).toEqual(['1'])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(got).toEqual(['1', '2'])
    feed.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(open).toHaveBeenCalledTimes(2)
  })

  it('waits as long as the server asks', async () => {
    const open = vi.fn(async (): Promise<Response> => { throw new Failure('busy', 429, {}, 20_000) })
    const feed = new EventFeed({ open, onEvent: () => undefined, random: () => 0.5 })
    feed.start()
    await vi.advanceTimersByTimeAsync(19_000)
    expect(open).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(open).toHaveBeenCalledTimes(2)
    feed.stop()
  })

  it('rests when nobody is signed in any more', async () => {
    const open = vi.fn(async (): Promise<Response> => { throw new Failure('signed_out', 401) })
    const feed = new EventFeed({ open, onEvent: () => undefined })
    feed.start()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(open).toHaveBeenCalledTimes(1)
  })

  it('cuts a line that has fallen silent', async () => {
    const signals: AbortSignal[] = []
    const open = vi.fn((signal: AbortSignal) => new Promise<Response>((_resolve, reject) => {
      signals.push(signal)
      signal.addEventListener('abort', () => reject(new Failure('aborted')))
    }))
    const feed = new EventFeed({ open, onEvent: () => undefined, random: () => 0.5 })
    feed.start()
    await vi.advanceTimersByTimeAsync(40_000)
    expect(signals[0]?.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(open).toHaveBeenCalledTimes(2)
    feed.stop()
  })
})
