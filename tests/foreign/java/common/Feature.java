package foreign;

/** One thing that a client can do. What it prints is compared between servers. */
interface Feature {
    void run(Site site) throws Exception;
}
