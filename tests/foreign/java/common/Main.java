package foreign;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs features of the client, several at a time because most of them wait, and prints what each saw, in order:
 * {@code Main NAME_SERVER TAG SET}. TAG makes the names of topics and groups unlike those of another client on the same
 * servers; SET is {@code plain}, {@code acl} or {@code tls}, or the name of one feature.
 */
public final class Main {
    private static final int AT_A_TIME = 10;

    private final Map<String, String> titles = new LinkedHashMap<>();
    private final Map<String, Feature> features = new LinkedHashMap<>();

    private Main() {
    }

    public static void main(String[] arguments) throws Exception {
        String nameServer = arguments[0];
        String tag = arguments[1];
        String set = arguments[2];
        boolean all = set.equals("plain") || set.equals("acl") || set.equals("tls");
        Main main = new Main();
        if (set.equals("acl")) {
            Guarded.registerSigned(main);
        } else if (set.equals("tls")) {
            Guarded.registerEncrypted(main);
        } else {
            main.registerPlain();
        }
        main.run(nameServer, tag, all ? null : set);
        // Some of the clients' threads would keep the JVM.
        System.out.flush();
        System.exit(0);
    }

    private void registerPlain() {
        Sending.register(this);
        Later.register(this);
        Transactions.register(this);
        Pulling.register(this);
        Pushing.register(this);
        Retrying.register(this);
        Asking.register(this);
        Version.register(this);
    }

    /** Adds a feature. The title says what is compared. */
    void add(String name, String title, Feature feature) {
        titles.put(name, title);
        features.put(name, feature);
    }

    private void run(String nameServer, String tag, String only) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME);
        Map<String, Future<List<String>>> running = new LinkedHashMap<>();
        for (Map.Entry<String, Feature> feature : features.entrySet()) {
            if (only == null || only.equals(feature.getKey())) {
                Site site = new Site(nameServer, tag, feature.getKey());
                running.put(feature.getKey(), pool.submit(() -> lines(site, feature.getValue())));
            }
        }
        for (Map.Entry<String, Future<List<String>>> feature : running.entrySet()) {
            System.out.println("=== " + feature.getKey() + " | " + titles.get(feature.getKey()));
            feature.getValue().get().forEach(System.out::println);
        }
        System.out.println("=== done");
        pool.shutdownNow();
    }

    private static List<String> lines(Site site, Feature feature) {
        try {
            feature.run(site);
        } catch (Throwable failure) {
            site.failed(failure);
        } finally {
            site.close();
        }
        return new ArrayList<>(site.lines());
    }
}
