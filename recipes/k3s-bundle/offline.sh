
# --- install what lies beside this script, and reach nothing ---

# in a folder for the bundle, unless it was found before
bundle_look() {
    [ -n "$bundle" ] || [ ! -f "$1/SHA256SUMS" ] || [ ! -f "$1/k3s" ] || bundle=$1
}

# the bundle is where it is said to be; else where this script lies, whether it was started through
# a link or is standard input; else here
bundle_find() {
    bundle=
    case ${INSTALL_K3S_BUNDLE-} in
        '')
            case $0 in */*) script=$0 ;; *) script=./$0 ;; esac
            bundle_look "$(dirname "$(readlink -f "$script" || echo "$script")")"
            bundle_look "$(dirname "$(readlink -f /proc/$$/fd/0 2>/dev/null)")"
            bundle_look "$(pwd)"
            [ -n "$bundle" ] || fatal "The bundle is neither where install.sh lies nor in $(pwd): start install.sh in the bundle's folder, or name that (or its .tar) with INSTALL_K3S_BUNDLE=" ;;
        *.tar)
            unpacked=$(mktemp -d)
            trap 'rm -rf "$unpacked"' EXIT
            trap 'exit 1' HUP INT TERM
            tar -xf "$INSTALL_K3S_BUNDLE" -C "$unpacked" < /dev/null || warn "tar does not take all of it"
            bundle_look "$unpacked/$(ls "$unpacked")"
            [ -n "$bundle" ] || fatal "$INSTALL_K3S_BUNDLE is no bundle, or not all of one: copy it again" ;;
        *)
            bundle_look "$INSTALL_K3S_BUNDLE"
            [ -n "$bundle" ] || fatal "There is no bundle in $INSTALL_K3S_BUNDLE" ;;
    esac
}

# a variable as the service will have it: from here, else from a file that the service reads
bundle_variable() {
    eval "value=\${$1-}"
    for file in "/etc/sysconfig/$SYSTEM_NAME" "/etc/default/$SYSTEM_NAME" /etc/environment; do
        [ -z "$value" ] || break
        value=$($SUDO sed -n "s/^[[:space:]]*$1=//p" "$file" 2>/dev/null < /dev/null | tail -n 1 |
            sed "s/[[:space:]]*\$//; s/^\"\\(.*\\)\"\$/\\1/; s/^'\\(.*\\)'\$/\\1/")
    done
    printf '%s\n' "$value"
}

# What a file of K3s' configuration says of data-dir, one line for each time:
#   = FOLDER   this
#   ? N: TEXT  something, in a way that is not read here (a list, an anchor, an escape, braces)
#   ~ N: TEXT  perhaps something: it stands where K3s may or may not look
# It is YAML, of which this reads keys at the margin with values on one line, plain or in quotes.
bundle_read() {
    $SUDO test -r "$1" || echo "? 0: $1 cannot be read"
    $SUDO cat "$1" < /dev/null | $awk '
        function trimmed(s) { sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s); return s }
        # what follows a value in quotes
        function over(s) { return s ~ /^[ \t]*$/ || s ~ /^[ \t]+#/ }
        function event(mark, s) { print mark " " (mark == "=" ? s : NR ": " line) }
        # the value that was read before, once it is known that it does not go on
        function commit() { if (waits) event("=", held); waits = 0 }
        function hold(s) { held = s; waits = 1 }
        function quoted(s, q,   body, rest) {
            body = ""; rest = substr(s, 2)
            while (1) {
                at = index(rest, q)
                if (!at) return 0
                body = body substr(rest, 1, at - 1); rest = substr(rest, at + 1)
                if (q != "\047" || substr(rest, 1, 1) != q) break
                body = body q; rest = substr(rest, 2)
            }
            if (q == "\"" && index(body, "\\") || !over(rest)) return 0
            hold(body); return 1
        }
        function plain(s) {
            if (s ~ /^#/) s = ""
            sub(/[ \t]+#.*/, "", s); s = trimmed(s)
            if (s ~ /^(~|null|Null|NULL|)$/) { hold(""); return 1 }
            # with a slash in it it is no number, no date, and neither true nor false
            if (s ~ /^[^A-Za-z0-9_.\/]/ || s !~ /\// || s ~ /:([ \t]|$)/) return 0
            hold(s); return 1
        }
        function value(s) {
            s = trimmed(s); first = substr(s, 1, 1)
            if (first == "\"" || first == "\047" ? quoted(s, first) : plain(s)) return
            event("?"); waits = 0
        }
        { line = $0; sub(/\r$/, "", line) }
        NR == 1 { sub(/^\357\273\277/, "", line) }
        line ~ /^[ \t]*(#.*)?$/ { next }
        line ~ /^%/ && !begun { next }
        line ~ /^(---|\.\.\.)([ \t]|$)/ {
            if (begun || opened) exit
            opened = 1; line = substr(line, 4)
            if (over(line)) next
        }
        {
            match(line, /^ */); indent = RLENGTH; text = substr(line, indent + 1)
            if (!begun) { margin = indent; begun = 1 }
            mentions = line ~ /(^|[ {,"\047])data-dir\+?["\047]?[ \t]*:/
            if (indent != margin || text ~ /^-([ \t]|$)/) {
                if (waits) { event("?"); waits = 0 }
                else if (mentions) event("~")
                next
            }
            commit()
            if (!match(text, /^("[^"\\]*"|\047[^\047]*\047|[^][{} \t"\047,&*!?|>@%`#:][^:]*)[ \t]*:([ \t]|$)/)) {
                if (text ~ /^\{/ && text !~ /^\{[ \t]*\}/) event("?")
                else if (mentions || text ~ /^["?]/) event("~")
                next
            }
            name = substr(text, 1, RLENGTH); rest = substr(text, RLENGTH + 1)
            sub(/[ \t]*:[ \t]?$/, "", name); gsub(/^["\047]|["\047]$/, "", name); sub(/\+$/, "", name)
            if (name == "data-dir") value(rest)
            else if (name == "d") event("?")
            else if (mentions) event("~")
        }
        END { commit() }'
}

# every file of the configuration, in the order in which K3s reads them: a later one decides
bundle_read_all() {
    if $SUDO test -e "$1"; then bundle_read "$1"; fi
    $SUDO ls -A "$1.d" 2>/dev/null < /dev/null | LC_ALL=C sort | grep -i '\.ya\{0,1\}ml$' | while read -r file; do
        if ! $SUDO test -d "$1.d/$file" || $SUDO test -L "$1.d/$file"; then bundle_read "$1.d/$file"; fi
    done
}

# The folder that K3s will use: its flag says so, else its configuration, else its variable. That is
# how K3s reads them: its configuration becomes flags before those of the command line.
bundle_data_dir() {
    data_dir= said=
    config=$(bundle_variable K3S_CONFIG_FILE)
    while [ $# -gt 0 ]; do
        case $1 in
            --data-dir=*|-data-dir=*|--d=*|-d=*) data_dir=${1#*=} said=flag ;;
            --data-dir|-data-dir|--d|-d) data_dir=${2-} said=flag ;;
            --config=*|-c=*) config=${config:-${1#*=}} ;;
            --config|-c) config=${config:-${2-}} ;;
        esac
        shift
    done
    config=${config:-/etc/rancher/k3s/config.yaml}
    case $config in
        http://*|https://*)
            [ -n "$said" ] || warn "K3s reads $config, which is not read here: should it name a data-dir, say --data-dir, too" ;;
        *)
            [ -n "$said" ] || bundle_configured "/${config#/}" ;;
    esac
    # a service begins in /, and so does a path that is relative
    [ -n "$said" ] || data_dir=$(bundle_variable K3S_DATA_DIR)
    data_dir=${data_dir:-/var/lib/rancher/k3s}
    case $data_dir in
        *'~'*|*'$HOME'*|*'${HOME}'*) fatal "The home folder in data-dir ($data_dir) is that of the service, which is not known here: say --data-dir with the whole path" ;;
    esac
    data_dir=/${data_dir#/}
}

bundle_configured() {
    for awk in awk mawk gawk 'busybox awk' ''; do
        if [ -z "$awk" ] || $awk 'BEGIN { exit 0 }' < /dev/null > /dev/null 2>&1; then break; fi
    done
    [ -n "$awk" ] || fatal "There is no awk to read $1 with: say --data-dir"
    found=$(bundle_read_all "$1")
    last=$(printf '%s\n' "$found" | grep '^[=?]' | tail -n 1)
    case $last in
        '= '*) data_dir=${last#= } said=config ;;
        '='*) said=config ;;
        '?'*) fatal "Cannot tell which data-dir K3s reads in $1 or $1.d (line ${last#? }): say --data-dir, too, or write it as data-dir: /FOLDER" ;;
    esac
    maybe=$(printf '%s\n' "$found" | grep '^~' | head -n 1)
    [ -z "$maybe" ] || warn "Taking ${data_dir:-the default} for the data-dir: not sure of $1 or $1.d, line ${maybe#? }; say --data-dir if it is another"
}

# whole or not at all: K3s reads no file of the first name, and may be running from the second
bundle_place() {
    $SUDO cp "$1" "$2.new"
    $SUDO chmod "$3" "$2.new"
    $SUDO sync
    $SUDO mv -f "$2.new" "$2"
    bundle_label "$2"
}

# a new file has the label of the folder, not the one that the policy has for its path
bundle_label() {
    if command -v selinuxenabled > /dev/null 2>&1; then selinuxenabled || return 0
    elif [ ! -e /sys/fs/selinux/enforce ]; then return 0
    fi
    $SUDO restorecon -R "$1" < /dev/null || warn "SELinux is on, and restorecon (of policycoreutils) did not label $1"
}

# What enforces NetworkPolicy is ipset, K3s' own or the machine's. Without one K3s lets everything
# through, and says so in its log alone.
bundle_policies() {
    case " $* " in *' --disable-network-policy '* | *' --disable-network-policy=true '*) return 0 ;; esac
    if grep -qx ipset "$bundle/k3s-programs.txt"; then return 0; fi
    if (PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin && command -v ipset > /dev/null); then return 0; fi
    warn "No NetworkPolicy will be enforced: neither this K3s nor this machine has the program ipset. Install the machine's, or a bundle built with --option root=nft"
}

# Since 1.35 the kubelet refuses a machine whose cgroups are those of version 1, and K3s ends.
bundle_cgroups() {
    [ ! -d /sys/fs/cgroup ] || [ -e /sys/fs/cgroup/cgroup.controllers ] ||
        warn "This machine has cgroups of version 1, with which K3s does not start since 1.35: boot it with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in the kubelet's configuration"
}

# Where this file lies, K3s (since 1.32.5) imports an archive once, and not at each start. It lies
# there if it did, or is asked for; what it knows of an archive before this one is forgotten.
bundle_once() {
    if [ "${INSTALL_K3S_IMPORT_ONCE-}" = true ] || $SUDO test -e "$1/.cache.json"; then
        bundle_place /dev/null "$1/.cache.json" 644
    fi
}

install_bundle() {
    setup_verify_arch
    bundle_find
    archive=k3s-airgap-images-$ARCH.tar.zst
    [ -f "$bundle/$archive" ] || fatal "This bundle is not for $ARCH: get the one that is"
    command -v sha256sum > /dev/null || fatal 'There is no sha256sum to check the bundle with: install coreutils'
    (cd "$bundle" && sha256sum -c SHA256SUMS >/dev/null) || fatal "The bundle is damaged: copy it again to $bundle"

    bundle_data_dir "$@"
    images=$data_dir/agent/images
    info "Installing images to $images"
    $SUDO mkdir -p "$images"
    bundle_place "$bundle/$archive" "$images/$archive" 644
    bundle_once "$images"
    if [ "${INSTALL_K3S_BIN_DIR_READ_ONLY}" != true ]; then
        info "Installing k3s to ${BIN_DIR}/k3s"
        $SUDO mkdir -p "${BIN_DIR}"
        bundle_place "$bundle/k3s" "${BIN_DIR}/k3s" 755
    fi
    bundle_policies "$@"
    bundle_cgroups
    INSTALL_K3S_SKIP_DOWNLOAD=true
    # an earlier run may have ended before it started what it installed
    INSTALL_K3S_FORCE_RESTART=${INSTALL_K3S_FORCE_RESTART:-true}
}
