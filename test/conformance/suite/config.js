// The suite's own vitest, in a folder of its own: inside another one it finds no tests.
export default {
  test: { include: ["suite.js"], testTimeout: 30_000, hookTimeout: 30_000, fileParallelism: false, watch: false },
};
