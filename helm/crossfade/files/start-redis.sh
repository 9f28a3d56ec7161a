# Adds the password and the limit to the configuration, in memory rather than on the command line, which others can read.
set -eu
case "$REDIS_PASSWORD" in
  *[!A-Za-z0-9._~-]* | "")
    echo "the password of Redis stands in a URL: letters, digits and . _ ~ - only, and at least one" >&2
    exit 1
    ;;
esac
umask 077
{
  cat /etc/redis/redis.conf
  printf 'maxmemory %s\nrequirepass %s\n' "$REDIS_MAXMEMORY" "$REDIS_PASSWORD"
} > /run/redis/redis.conf
exec redis-server /run/redis/redis.conf
