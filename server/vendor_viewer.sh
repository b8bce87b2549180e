#!/usr/bin/env bash
# Fetches the viewer of /docs by its name, through npm, and lays its files into server/page/vendor/.
#   server/vendor_viewer.sh            the version that README.md there names; its integrity must be the one recorded
#   server/vendor_viewer.sh VERSION    another version: what npm says of its integrity is recorded
# Nothing that builds or runs the program calls this: the files are part of the tree, and tests/tidy/vendored.py says
# whether they are still what was fetched.
set -euo pipefail

package=swagger-ui-dist
files=(swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE)

vendor=$(cd "$(dirname "$0")/page/vendor" && pwd)
line="$package [0-9.]* (\`sha512-[A-Za-z0-9+/=]*\`)"

# What README.md says: the version, or the integrity.
recorded() { sed -n "s|^.*$package \([0-9.]*\) (\`\(sha512-[A-Za-z0-9+/=]*\)\`).*$|\\$1|p" "$vendor/README.md"; }

version=${1:-$(recorded 1)}
if [[ $version == "$(recorded 1)" ]]; then
    wanted=$(recorded 2)
else
    wanted=$(npm view "$package@$version" dist.integrity)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "$package@$version" >/dev/null
archive=$(echo ./*.tgz)
fetched="sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)"
if [[ $fetched != "$wanted" ]]; then
    echo "$package $version: fetched $fetched, but wanted $wanted" >&2
    exit 1
fi

tar -xzf "$archive"
for file in "${files[@]}"; do
    install -m 644 "package/$file" "$vendor/$file"
done
sed -i "s|$line|$package $version (\`$wanted\`)|" "$vendor/README.md"
(cd "$vendor" && sha256sum "${files[@]}" >SHA256SUMS)
echo "$package $version: $(cd "$vendor" && du -ch "${files[@]}" | tail -n 1 | cut -f 1) in server/page/vendor"
