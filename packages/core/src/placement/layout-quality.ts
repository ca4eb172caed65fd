/** How good a layout is, measured against what no layout can beat. */
import type { Finding } from '../model/finding.ts';
import type { Measure, Score } from './score.ts';
import { MEASURES } from './score.ts';

export interface QualityMeasure {
  readonly name: Measure;
  readonly reached: number;
  /** The least that any layout can have as long as all measures before are at theirs. */
  readonly bound: number;
}

export interface LayoutQuality {
  /** Whether no layout is better, which is proved; otherwise the bounds say how far it may be. */
  readonly optimal: boolean;
  /** The weightiest first; smaller is better. */
  readonly measures: readonly QualityMeasure[];
}

export function describeQuality(solution: {
  readonly score: Score;
  readonly bound: Score;
  readonly optimal: boolean;
}): LayoutQuality {
  const measures = MEASURES.map((name, index) => ({
    name,
    reached: solution.score[index] ?? 0,
    bound: solution.bound[index] ?? 0,
  }));
  return { optimal: solution.optimal, measures };
}

/** Says it when a better layout may exist; nothing when that is ruled out. */
export function qualityFindings(cluster: string, quality: LayoutQuality): Finding[] {
  const open = quality.measures.find(({ reached, bound }) => reached > bound);
  if (quality.optimal || open === undefined) return [];
  return [
    {
      rule: 'placement-may-be-better',
      severity: 'info',
      subject: cluster,
      message: 'The layout keeps all rules; that it is the best one is not proved.',
      evidence: [`${open.name}: ${open.reached}, at best ${open.bound}`],
      remedy: '',
    },
  ];
}
