import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

const root = resolve(__dirname, '..', '..');

/** One literal replacement in the built code. */
export interface Spoiling {
  /** Below the project, in some `dist`. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** A copy of the built apps with something spoiled in it; third-party packages are shared. Fails where the text is not there exactly once: a fault that no longer fits proves nothing. */
export class SpoiledBuild {
  readonly folder = mkdtempSync(join(tmpdir(), 'trunkline-spoiled-'));

  constructor(spoilings: readonly Spoiling[]) {
    try {
      for (const kind of ['libs', 'apps']) {
        for (const name of readdirSync(join(root, kind))) this.copy(kind, name);
      }
      this.linkPackages();
      for (const spoiling of spoilings) this.spoil(spoiling);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private copy(kind: string, name: string): void {
    for (const part of ['dist', 'package.json', 'bin']) {
      const from = join(root, kind, name, part);
      if (existsSync(from)) cpSync(from, join(this.folder, kind, name, part), { recursive: true });
    }
  }

  /** Ours lead into the copy, all others to where they are. */
  private linkPackages(): void {
    const [from, to] = [join(root, 'node_modules'), join(this.folder, 'node_modules')];
    mkdirSync(join(to, '@trunkline'), { recursive: true });
    for (const name of readdirSync(from)) if (name !== '@trunkline') symlinkSync(join(from, name), join(to, name));
    for (const kind of ['libs', 'apps']) {
      for (const name of readdirSync(join(this.folder, kind))) {
        const manifest = join(this.folder, kind, name, 'package.json');
        if (!existsSync(manifest)) continue;
        const { name: scoped } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name: string };
        const link = join(to, scoped);
        symlinkSync(relative(join(to, '@trunkline'), join(this.folder, kind, name)), link);
      }
    }
  }

  private spoil({ file, find, put }: Spoiling): void {
    const path = join(this.folder, file);
    const text = readFileSync(path, 'utf8');
    const times = text.split(find).length - 1;
    if (times !== 1) throw new Error(`${file} holds ${times} times, not once: ${find}`);
    writeFileSync(path, text.replace(find, () => put));
  }
}
