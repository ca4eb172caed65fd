/** A layout that was planned, or why there is none: what every planner of layouts answers. */
import type { Finding } from '../model/finding.ts';
import type { Layout } from '../model/layout.ts';
import type { LayoutQuality } from './layout-quality.ts';

export type LayoutPlan =
  | {
      readonly ok: true;
      readonly layout: Layout;
      /** Risks that were accepted, and what was not checked; never critical. */
      readonly findings: readonly Finding[];
      /** Undefined when no node was placed: those of the current layout are kept as they are. */
      readonly quality: LayoutQuality | undefined;
    }
  | {
      readonly ok: false;
      readonly refusals: readonly Finding[];
      /** Changes that would give a layout, each of them tried; the nearest of each kind. */
      readonly alternatives: readonly string[];
    };
