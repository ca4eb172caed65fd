/** Writes figures as JSON into bench/results/ and as lines for people; says on what machine they were taken. */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Aim {
  readonly text: string;
  readonly seen: number;
  readonly met: boolean;
}

export interface Report {
  readonly bench: string;
  readonly figures: readonly Figure[];
  readonly aims: readonly Aim[];
  readonly remarks: readonly string[];
  /** For people, in place of the figures one by one. */
  readonly tables?: readonly Table[];
}

export interface Table {
  readonly head: readonly string[];
  /** A row of one cell is a heading. */
  readonly rows: readonly (readonly string[])[];
}

export function figure(name: string, unit: string, values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return { name, unit, values, median, min: sorted[0] ?? median, max: sorted.at(-1) ?? median };
}

export async function writeReport(directory: string, report: Report): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${report.bench}.json`);
  const machine = {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? '',
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
  const takenAt = new Date().toISOString();
  const { tables: _, ...kept } = report;
  await writeFile(path, `${JSON.stringify({ takenAt, machine, ...kept }, undefined, 2)}\n`);
  return path;
}

export function formatReport(report: Report): string {
  const rows = report.tables?.flatMap(formatTable) ?? formatFigures(report.figures);
  const aims = report.aims.map(
    (aim) => `  ${aim.met ? 'met   ' : 'MISSED'} ${aim.text}: ${round(aim.seen)}`,
  );
  return [report.bench, ...rows, ...aims, ...report.remarks.map((text) => `  ${text}`)].join('\n');
}

function formatFigures(figures: readonly Figure[]): string[] {
  return figures.map(({ name, unit, values, ...item }) => {
    const [median, min, max] = [item.median, item.min, item.max].map(round);
    return `  ${name.padEnd(48)} ${median} ${unit}  (${min} to ${max}, ${values.length} runs)`;
  });
}

function formatTable({ head, rows }: Table): string[] {
  const full = [head, ...rows].filter((row) => row.length > 1);
  const widths = head.map((_, column) => Math.max(...full.map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = row.length === 1 ? 0 : (widths[column] ?? 0);
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  '),
  );
  return ['', ...lines.map((line) => `  ${line}`), ''];
}

function round(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}
