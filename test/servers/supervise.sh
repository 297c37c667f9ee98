#!/bin/sh
# supervise.sh FOLDER COMMAND...: runs a server until nobody holds a lock on the file that is open as 3, and removes its
# folder. A test holds a shared lock, which goes with its process, however that ends.
folder=$1
shift
"$@" 3>&- &
server=$!
while sleep 3; do
    flock -n -x 3 && break
done
# The lock is kept until the server is gone: who comes now waits, and then starts another one.
kill -INT "$server"
wait "$server"
rm -rf "$folder"
