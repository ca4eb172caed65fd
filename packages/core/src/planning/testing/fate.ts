/** What becomes of a step in a model world. */
export type Fate = 'ok' | 'cut-off' | 'done-but-failed' | 'failed' | 'never-begun';
