/**
 * A code stays before the camera for many frames, and often still after its result was read. The
 * guard lets it through once: again only after another code, or after it was out of sight long
 * enough that somebody must have held it up anew.
 */
export class RepeatGuard {
  private text: string | null = null
  private seenAt = 0

  constructor(private readonly outOfSightMs = 3000) {}

  /** Whether this find is a new one. `at` in ms on a steady clock. */
  accept(text: string, at: number): boolean {
    const again = text === this.text && at - this.seenAt < this.outOfSightMs
    this.text = text
    this.seenAt = at
    return !again
  }

  /** Looking starts again after a pause, in which the code may have stayed where it was. */
  resume(at: number): void {
    this.seenAt = at
  }

  /** Forgets the last code, for instance because it got no answer. */
  clear(): void {
    this.text = null
  }
}
