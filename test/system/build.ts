/** Once, before the tests: installs what they need where it may, and builds the program, so that system tests run what users run. */
import { execFileSync } from 'node:child_process';

export function setup(): void {
  execFileSync('sh', ['test/system/packages.sh'], { stdio: 'inherit' });
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
