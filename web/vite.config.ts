import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Where each app's page is served, and so where its HTML lies under dist. */
const pages = {
  'apps/home/index.html': 'index.html',
  'apps/resident/index.html': 'app/index.html',
  'apps/verifier/index.html': 'verify/index.html',
  'apps/docs/index.html': 'docs/index.html',
} as const

/** Moves each app's HTML from its source folder to its address, in the build and in the dev server. */
function pagesAtTheirAddresses(): Plugin {
  const sources = new Map(Object.entries(pages).map(([from, to]) => ['/' + to.replace(/index\.html$/, ''), '/' + from]))
  return {
    name: 'pages-at-their-addresses',
    enforce: 'post',
    configureServer(server) {
      server.middlewares.use((req, _res, next) => {
        const path = (req.url ?? '').split('?')[0] ?? ''
        const source = sources.get(path.endsWith('/') ? path : path + '/')
        if (source) req.url = source
        next()
      })
    },
    generateBundle(_options, bundle) {
      for (const [from, to] of Object.entries(pages)) {
        const file = bundle[from]
        if (file?.type !== 'asset') continue
        Reflect.deleteProperty(bundle, from)
        this.emitFile({ type: 'asset', fileName: to, source: file.source })
      }
      // Go embeds the folder even before the first build: its placeholder outlives each one.
      this.emitFile({ type: 'asset', fileName: '.placeholder', source: '' })
    },
  }
}

/** Vant's icon font names a copy on an outside host; no page may ask outside. */
function noOutsideFonts(): Plugin {
  return {
    name: 'no-outside-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!/vant[\\/].*\.css/.test(id)) return null
      return code.replace(/,\s*url\((['"]?)(https?:)?\/\/[^)]*\)(\s*format\([^)]*\))?/g, '')
    },
  }
}

/** The server that the dev server asks: `citycode demo` on its usual address, or another. */
const server = process.env.CITYCODE_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), noOutsideFonts(), pagesAtTheirAddresses()],
  appType: 'mpa',
  // Parts of Vue and vue-i18n that no page uses.
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  resolve: { alias: { '@': here('.') } },
  server: { proxy: { '/v1': server, '/openapi.json': server, '/readyz': server } },
  build: {
    // Phones in use for years: their browsers are older than Vite's default.
    target: ['chrome87', 'edge88', 'firefox98', 'safari15.4'],
    // The policy lets sounds and fonts come from this server only, never from data: addresses.
    assetsInlineLimit: 0,
    // The API reference is one large file that only its own page loads.
    chunkSizeWarningLimit: 1600,
    rolldownOptions: {
      input: Object.fromEntries(Object.keys(pages).map((path) => [path.split('/')[1] ?? path, here(path)])),
    },
  },
})
