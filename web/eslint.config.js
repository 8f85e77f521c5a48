import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'shared/api/schema.d.ts', 'test-results/'] },
  ts.configs.strict,
  vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  {
    rules: {
      // Layout is the writer's affair; these rules are about mistakes.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/attributes-order': 'off',
      // A page is named for what it shows, in one word where one word says it.
      'vue/multi-word-component-names': 'off',
      // The policy forbids inline script; raw HTML is the way it would come back.
      'vue/no-v-html': 'error',
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Call the server through shared/api.' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['*.config.*'], rules: { 'no-console': 'off', 'no-restricted-globals': 'off' } },
)
