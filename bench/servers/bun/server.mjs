// Socket.IO on Bun's own WebSocket server, through the engine its makers offer for it.
import { Server as Engine } from "@socket.io/bun-engine";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { attach } from "../node/handlers.mjs";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
attach(io, (token, secret) => jwt.verify(token, secret, { algorithms: ["HS256"] }), process.env.BENCH_SECRET);

export default { port: Number(process.env.BENCH_PORT), hostname: "127.0.0.1", ...engine.handler() };
