/** How TypeScript becomes JavaScript here: one answer for the build (`es6`) and for jest (`commonjs`). */
export function swcOptions(moduleType) {
  return {
    swcrc: false,
    module: { type: moduleType },
    jsc: {
      target: 'es2024',
      keepClassNames: true,
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
  };
}
