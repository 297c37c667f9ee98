// The handlers of the reference servers, on Node and on Bun: identity from a token, rooms, chat and positions relayed
// the way Socket.IO's own guides show it. Nothing is validated, limited or stored.

const watchesFleet = (who) => who.role === "admin" || who.role === "company";

function standing(who) {
  const rooms = [`user:${who.sub}`, `role:${who.role}`];
  if (who.companyId) rooms.push(`company:${who.companyId}`, `company:${who.companyId}:${who.role}`);
  if (watchesFleet(who)) rooms.push(who.role === "admin" ? "fleet:*" : `fleet:${who.companyId}`);
  return rooms;
}

/** Makes a Socket.IO server serve; verify(token, secret) returns the claims or throws. */
export function attach(io, verify, secret) {
  io.use((socket, next) => {
    try {
      socket.data.who = verify(socket.handshake.auth.token, secret);
    } catch {
      next(new Error("Invalid token"));
      return;
    }
    socket.join(standing(socket.data.who));
    next();
  });

  io.on("connection", (socket) => {
    const { who } = socket.data;
    let sent = 0;

    socket.on("room:join", (roomId, ack) => {
      socket.join(`chat:${roomId}`);
      ack?.({ status: "ok", roomId });
    });

    socket.on("chat:message", (message, ack) => {
      const { roomId, text } = message;
      const id = `${socket.id}-${++sent}`;
      const timestamp = Date.now();
      io.to(`chat:${roomId}`).emit("chat:message", {
        id, roomId, userId: who.sub, username: who.username, role: who.role, text, timestamp, readBy: [],
      });
      ack?.({ status: "ok", messageId: id, roomId, timestamp });
    });

    socket.on("tracking:update", (position, ack) => {
      const { sub: driverId, companyId } = who;
      io.to(`fleet:${companyId}`).to("fleet:*").emit("tracking:positions", {
        at: Date.now(), positions: [{ driverId, companyId, ...position }],
      });
      ack?.({ status: "ok", accepted: 1, rejected: [] });
    });
  });
}
