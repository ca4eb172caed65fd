/**
 * Reads the system's apt sources and derives from them the entries under which the distribution's
 * own source archives are found. Pure; files and apt itself are `archive.ts`'s business.
 */

export interface SourcesFile {
  /** `.sources` files are in deb822 format, `.list` files have one entry a line (sources.list(5)). */
  readonly name: string;
  readonly content: string;
}

export interface AptSuite {
  /** `VERSION_CODENAME` of os-release, for example `bookworm`. */
  readonly codename: string;
  /** Empty: the host's own suite with its updates and security fixes. */
  readonly suite: string;
}

export interface DerivedSources {
  /** Content of a `.sources` file; empty when there is nothing for it. */
  readonly deb822: string;
  /** Content of a `.list` file; empty when there is nothing for it. */
  readonly oneLine: string;
}

interface Entry {
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Renders the entry for `deb-src` and the given suites. */
  readonly render: (suites: readonly string[]) => string;
  readonly format: keyof DerivedSources;
}

/** Empty texts when the system has no entry that fits. */
export function deriveSources(files: readonly SourcesFile[], wanted: AptSuite): DerivedSources {
  const entries = files
    .flatMap((file) =>
      file.name.endsWith('.sources') ? readDeb822(file.content) : readOneLine(file.content),
    )
    .filter(({ components }) => components.includes('main'));
  const chosen = wanted.suite === '' ? ownSuites(entries, wanted) : otherSuite(entries, wanted);
  const texts = { deb822: new Set<string>(), oneLine: new Set<string>() };
  for (const { entry, suites } of chosen) texts[entry.format].add(entry.render(suites));
  return {
    deb822: [...texts.deb822].map((text) => `${text}\n`).join('\n'),
    oneLine: [...texts.oneLine].map((text) => `${text}\n`).join(''),
  };
}

interface ChosenEntry {
  readonly entry: Entry;
  readonly suites: readonly string[];
}

/** `bookworm`, `bookworm-updates`, `bookworm-security`, `buster/updates`; backports only when asked for by name. */
function ownSuites(entries: readonly Entry[], { codename }: AptSuite): ChosenEntry[] {
  const isOwn = (suite: string): boolean =>
    [codename, `${codename}-updates`, `${codename}-security`, `${codename}/updates`].includes(
      suite,
    );
  return entries
    .map((entry) => ({ entry, suites: entry.suites.filter(isOwn) }))
    .filter(({ suites }) => suites.length > 0);
}

/** Entries that name the suite; else the same archive that serves the host's own suite. */
function otherSuite(entries: readonly Entry[], wanted: AptSuite): ChosenEntry[] {
  const naming = entries.filter(({ suites }) => suites.includes(wanted.suite));
  const serving = naming.length > 0 ? naming : entries.filter(servesOwnSuite);
  return serving.map((entry) => ({ entry, suites: [wanted.suite] }));

  function servesOwnSuite({ suites }: Entry): boolean {
    return suites.includes(wanted.codename);
  }
}

function readDeb822(content: string): Entry[] {
  return content
    .split(/\n\s*\n/)
    .map(readParagraph)
    .filter((fields) => isEnabled(fields))
    .map((fields) => ({
      suites: words(fields.get('suites')),
      components: words(fields.get('components')),
      render: (suites) => renderParagraph(fields, suites),
      format: 'deb822',
    }));
}

/** Field names in lower case; continuation lines (an inline key in `Signed-By`) are kept. */
function readParagraph(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of paragraph.split('\n')) {
    if (line.startsWith('#')) continue;
    const [, field, value] = /^([A-Za-z][A-Za-z0-9-]*):\s*(.*)$/.exec(line) ?? [];
    if (field !== undefined && value !== undefined) {
      name = field.toLowerCase();
      fields.set(name, value);
    } else if (/^\s+\S/.test(line) && name !== '') {
      fields.set(name, `${fields.get(name) ?? ''}\n${line}`);
    }
  }
  return fields;
}

function isEnabled(fields: ReadonlyMap<string, string>): boolean {
  return fields.has('uris') && !/^(?:no|false|off|0)$/i.test(fields.get('enabled') ?? 'yes');
}

function renderParagraph(fields: ReadonlyMap<string, string>, suites: readonly string[]): string {
  // What is of use to binary packages alone may be refused for sources.
  const dropped = new Set(['types', 'suites', 'architectures', 'enabled']);
  const kept = [...fields]
    .filter(([name]) => !dropped.has(name))
    .map(([name, value]) => `${name}: ${value}`);
  return ['types: deb-src', `suites: ${suites.join(' ')}`, ...kept].join('\n');
}

// type, options in brackets, URI, suite, components
const oneLinePattern = /^(?:deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/;

function readOneLine(content: string): Entry[] {
  return content.split('\n').flatMap((line): Entry[] => {
    const [, options, uri, suite, rest] =
      oneLinePattern.exec(line.replace(/#.*$/, '').trim()) ?? [];
    if (uri === undefined || suite === undefined || rest === undefined) return [];
    const kept = words(options).filter((option) => !option.startsWith('arch'));
    const bracket = kept.length === 0 ? '' : `[${kept.join(' ')}] `;
    const components = words(rest);
    return [
      {
        suites: [suite],
        components,
        render: (suites) =>
          suites
            .map((wanted) => `deb-src ${bracket}${uri} ${wanted} ${components.join(' ')}`)
            .join('\n'),
        format: 'oneLine',
      },
    ];
  });
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
