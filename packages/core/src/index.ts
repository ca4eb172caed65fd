/** The pure domain of Redrover: no I/O, no clock, no randomness that is not passed in. */
export * from './errors.ts';
export { bytesText } from './model/bytes-text.ts';
export * from './model/cut-off.ts';
export * from './model/domain-outcome.ts';
export * from './model/finding.ts';
export * from './model/host.ts';
export * from './model/host-change.ts';
export * from './model/layout.ts';
export * from './model/migration.ts';
export * from './model/observation.ts';
export * from './model/operation.ts';
export * from './model/release.ts';
export * from './model/slots.ts';
export * from './model/spec.ts';
export * from './model/step.ts';
export { formatSpec } from './spec/format-spec.ts';
export type { SpecFields } from './spec/format-spec.ts';
export { formatMemorySize, parseMemorySize } from './spec/memory-size.ts';
export { parseSpec } from './spec/parse-spec.ts';
export type { ParsedSpec } from './spec/parse-spec.ts';
export { reservedReason } from './spec/reserved-options.ts';
export { formatSpecProblem } from './spec/spec-problem.ts';
export type { SpecPath, SpecProblem } from './spec/spec-problem.ts';
export { checkCluster, examineCluster, type Examination } from './examination/examine-cluster.ts';
export type { ExaminationInput } from './examination/picture.ts';
export {
  summarizeCluster,
  type ClusterHealth,
  type ClusterOverview,
  type NodeSummary,
  type ShardSummary,
} from './examination/summarize-cluster.ts';
export { whatIf, type WhatIfScope } from './examination/what-if.ts';
export {
  decideAutoRepair,
  type AutoRepairDecision,
  type AutoRepairInput,
} from './planning/auto-repair/decide-auto-repair.ts';
export { topologyMark } from './planning/auto-repair/topology-mark.ts';
export { forecastRounds, type Forecast, type ForecastInput } from './planning/forecast.ts';
export {
  ATOMIC_TRIES,
  chooseEngine,
  countEngineFailures,
  type EngineChoice,
  type EngineNode,
  type EngineQuestion,
} from './migration/choose-engine.ts';
export {
  adaptBatch,
  spendBudget,
  startBatch,
  startBudget,
  startRate,
  takeRate,
  type BatchMeasure,
  type BatchState,
  type BudgetState,
  type RateState,
  type RateTurn,
} from './migration/batch-control.ts';
export { judgeBusyKey, type SourceLife } from './migration/busy-key.ts';
export { predictBlockingMs, predictDurationMs, type MoveSize } from './migration/move-costs.ts';
export { loadBetween, readCommandTotals, type CommandTotals } from './migration/client-load.ts';
export type { BatchLimits, LimitName, MoveLimits } from './migration/move-limits.ts';
export { nextPace, startPace, type PaceState } from './migration/move-pace.ts';
export type {
  MovePreview,
  PreviewInput,
  PreviewNode,
  PreviewPair,
} from './migration/move-preview.ts';
export type {
  SlotAction,
  SlotActionKind,
  SlotEffect,
  SlotEnd,
  SlotPause,
} from './migration/slot-action.ts';
export { predictTotalMs, previewMoves } from './migration/preview.ts';
export {
  slotFactsOf,
  type Asked,
  type MoveReading,
  type NodeReading,
  type SlotCounts,
} from './migration/read-slot-facts.ts';
export { joinWindows, planWindows } from './migration/plan-windows.ts';
export { followUp } from './migration/follow-up.ts';
export { resolveLimits } from './migration/resolve-limits.ts';
export { freshnessMs } from './migration/rules/finalise-rules.ts';
export * from './migration/slot-facts.ts';
export { PRESENCE_RULES } from './migration/rules/end-rules.ts';
export { decideSlot, nextSlotAction, SLOT_RULES } from './migration/slot-machine.ts';
export { ownedSlots, type OwnershipQuestion } from './planning/owned-slots.ts';
export { planHashOf } from './planning/plan-hash.ts';
export { planCancel, planSteps } from './planning/plan-steps.ts';
export { findLeftForLater } from './planning/reconcile/left-for-later.ts';
export { ORPHAN_KEYS_AT_TARGET } from './planning/reconcile/orphan-keys.ts';
export { findLeftAlone } from './planning/remove.ts';
export { settle } from './planning/settle.ts';
export { absentNode } from './planning/fresh-node.ts';
export { applyStep } from './planning/simulate.ts';
export type { PlanInput } from './planning/situation.ts';
export { clusterViewOf } from './topology/cluster-view.ts';
export { readClusterNodes, type ClusterNodesReading } from './topology/cluster-nodes.ts';
export { Fingerprint, fingerprintOf } from './topology/fingerprint.ts';
export {
  readClusterInfo,
  readInfo,
  readInfoFields,
  type ClusterInfoReading,
  type InfoFields,
  type InfoReading,
} from './topology/info.ts';
export {
  buildFlags,
  hasTls,
  needsCxx,
  parseCompiler,
  type BuildFlags,
  type BuildOptions,
  type Compiler,
} from './releases/build-flags.ts';
export { findRelease, listReleases, officialUrl } from './releases/catalogue.ts';
export {
  parseReleaseName,
  releaseFromFileName,
  type ReleaseName,
} from './releases/release-name.ts';
export * from './placement/domains.ts';
export { effectiveRoles, type EffectiveRole } from './placement/effective-roles.ts';
export { hostBudgetBytes, nodeMemoryBytes } from './placement/host-capacity.ts';
export type { LayoutQuality, QualityMeasure } from './placement/layout-quality.ts';
export { isAcceptable, lintLayout } from './placement/lint-layout.ts';
export type { HostChangeRequest } from './placement/host-change/host-change-request.ts';
export { specAfterHostChange } from './placement/host-change/spec-after-host-change.ts';
export { planHostChange } from './placement/plan-host-change.ts';
export { planLayout } from './placement/plan-layout.ts';
export type { LayoutPlan } from './placement/layout-plan.ts';
export type { LayoutRequest } from './placement/plan-layout.ts';
export { describeSpecChange } from './placement/scale/describe-spec-change.ts';
export type { SlotsByShard } from './placement/slots/slot-owners.ts';
export { planReshard } from './placement/plan-reshard.ts';
export type { ReshardRequest } from './placement/reshard/reshard-request.ts';
export { specAfterReshard } from './placement/reshard/spec-after-reshard.ts';
