import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('.', import.meta.url)) } },
  test: {
    environment: 'happy-dom',
    include: ['{apps,shared}/**/*.test.ts'],
    // A busy machine is not a broken page.
    testTimeout: 30_000,
    restoreMocks: true,
  },
})
