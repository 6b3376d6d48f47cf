package spread;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Keeps what the library logs, which is printed nowhere meanwhile. */
final class LogKeeper extends Handler {

    private final Logger logger = Logger.getLogger("spread");
    private final List<LogRecord> records = new CopyOnWriteArrayList<>();

    LogKeeper() {
        logger.setUseParentHandlers(false);
        logger.addHandler(this);
    }

    /** In the order in which they were logged; grows. */
    List<LogRecord> records() {
        return records;
    }

    @Override
    public void publish(LogRecord entry) {
        records.add(entry);
    }

    @Override
    public void flush() {}

    /** Ends it. The JVM calls it, too, for handlers that are left. */
    @Override
    public void close() {
        logger.removeHandler(this);
        logger.setUseParentHandlers(true);
    }
}
