// A program that connects with autoUnref, sends one event and leaves the rest to the client: it must end by itself.
// Arguments: the server's address and a token.
import { io } from 'socket.io-client';

const [url, token] = process.argv.slice(2);
const socket = io(url, { autoUnref: true, transports: ['websocket'], auth: { token } });
const alive = setTimeout(() => process.exit(2), 10_000); // until the answer has come
const { status } = await socket.emitWithAck('presence:list', {});
clearTimeout(alive);
console.log(status);
