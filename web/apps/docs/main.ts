import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'
import './docs.css'

type Props = Record<string, unknown>
type Part = (props: Props) => unknown
interface System {
  React: { createElement: (type: unknown, props: Props | null, ...children: unknown[]) => unknown }
}

const inRegion = (name: string) => (original: Part, system: System) => (props: Props) => system.React.createElement(
  'section', { 'aria-label': name }, system.React.createElement(original, props),
)

/** Mends what a screen reader stumbles over in Swagger UI. */
const accessible = {
  wrapComponents: {
    // A link inside the button that opens an operation: two controls in one. The text alone says it.
    DeepLink: (_original: Part, system: System) => (props: Props) => system.React.createElement('span', null, props['text']),
    // Whatever stands outside its main part belongs to a region with a name.
    InfoContainer: inRegion('About this API'),
    AuthorizeBtnContainer: inRegion('Sign in'),
    // The tags are headings of the third level; this is the second that they hang under.
    operations: (original: Part, system: System) => (props: Props) => system.React.createElement(
      'section', null,
      system.React.createElement('h2', { className: 'docs-unseen' }, 'Operations'),
      system.React.createElement(original, props),
    ),
  },
}

// validatorUrl null: the validator is an outside service, and no page may ask outside.
SwaggerUI({
  url: '/openapi.json',
  dom_id: '#app',
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  docExpansion: 'list',
  plugins: [accessible],
})

// The banner of a demonstration, as on every page. This page has no session and no language of its own to ask with.
// eslint-disable-next-line no-restricted-globals
void fetch('/v1/city').then((answer) => answer.json()).then((city: { demo?: boolean }) => {
  const banner = document.getElementById('sample')
  if (banner) banner.hidden = !city.demo
}).catch(() => undefined)
