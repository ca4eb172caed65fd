/** The rules for a layout of another size than the one in force. */
import type { Finding } from '../../model/finding.ts';
import type { Layout } from '../../model/layout.ts';
import { nodeChanges } from '../keep-current.ts';
import { lintGrowth } from '../lint-change.ts';
import type { ScaleRequest } from './scale-request.ts';

/** As `lintGrowth`, and no node may be where the spec does not want it. */
export function lintScaled({ spec, current, hosts }: ScaleRequest, layout: Layout): Finding[] {
  return [...nodeChanges(spec, layout), ...lintGrowth(layout, { current, hosts })];
}
