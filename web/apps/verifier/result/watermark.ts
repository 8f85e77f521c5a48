/** One repeat of the watermark, in px of a pattern that is turned by 30°. */
export interface Tile {
  width: number
  height: number
  /** Where the two lines of a tile begin: the second is shifted by half, like bricks. */
  lines: readonly { x: number; y: number }[]
}

/** Lean of the text, degrees. */
export const LEAN = -30

/**
 * Sizes a tile so that the text never runs into its repeat, and that any hand-sized piece cut from
 * a photograph of the screen holds it whole at least once.
 */
export function tileFor(text: string, fontSize: number): Tile {
  const width = Math.ceil(textWidth(text) * fontSize + fontSize * 3)
  const height = Math.round(fontSize * 6.4)
  return {
    width,
    height,
    lines: [
      { x: 0, y: height * 0.25 },
      // Drawn twice, because what leaves the tile on the right must come in on the left.
      { x: width / 2, y: height * 0.75 },
      { x: -width / 2, y: height * 0.75 },
    ],
  }
}

/** Width in em, on the generous side: ideographs and full-width forms are 1, the rest about 0.6. */
function textWidth(text: string): number {
  let width = 0
  for (const char of text) width += /[\u1100-\u115f\u2e80-\uffef]|[\u{1f000}-\u{3ffff}]/u.test(char) ? 1 : 0.62
  return width
}
